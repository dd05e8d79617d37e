/* node scripts/migration.ts, with NAME=notes-archived: writes an empty migration and registers it (make migration). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { timestamp } from './migrations/timestamp.ts'
import { format } from './resource/format.ts'
import { register } from './resource/registration.ts'

process.chdir(dirname(import.meta.dirname))

const FOLDER = 'internal/store/migrations'
const INDEX = `${FOLDER}/index.ts`

const { NAME = '' } = process.env
if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(NAME)) {
  const name = `${timestamp(new Date(), readdirSync(FOLDER))}-${NAME}`
  const variable = NAME.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase())
  const before = readFileSync(INDEX, 'utf8')
  if (before.includes(`* as ${variable} from`)) throw new Error(`NAME: ${INDEX} already imports a ${variable}`)
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
  console.error(
    `NAME: got ${JSON.stringify(NAME)}, expected lower-case words separated by hyphens, such as notes-archived`,
  )
  process.exitCode = 64
}
