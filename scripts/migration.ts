/* node scripts/migration.ts, with NAME=notes-archived: writes an empty migration and registers it (make migration). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { timestamp } from './migrations/timestamp.ts'
import { format } from './resource/format.ts'
import { isVariable } from './resource/names.ts'
import { register } from './resource/registration.ts'

process.chdir(dirname(import.meta.dirname))

const FOLDER = 'internal/store/migrations'
const INDEX = `${FOLDER}/index.ts`

function findNameProblem(name: string, variable: string, index: string): string | undefined {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    return 'expected lower-case words separated by hyphens, such as notes-archived'
  if (!isVariable(variable)) return 'which is not a valid name of a variable'
  return new RegExp(`(\\* as|const) ${variable}\\b`).test(index) ? `but ${INDEX} already has a ${variable}` : undefined
}

const { NAME = '' } = process.env
const variable = NAME.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase())
const before = readFileSync(INDEX, 'utf8')
const problem = findNameProblem(NAME, variable, before)
if (problem === undefined) {
  const name = `${timestamp(new Date(), readdirSync(FOLDER))}-${NAME}`
  const after = register(before, {
    path: INDEX,
    list: 'migrations',
    imports: [`import * as ${variable} from './${name}.ts'`],
    entry: `'${name}': ${variable}`,
  })
  const formatted = format(INDEX, after)
  writeFileSync(`${FOLDER}/${name}.ts`, 'export const up = `\n`\n')
  writeFileSync(INDEX, formatted)
  console.info(`${FOLDER}/${name}.ts`)
} else {
  console.error(`NAME: got ${JSON.stringify(NAME)}, ${problem}`)
  process.exitCode = 64
}
