import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { installPackages } from '../../support/install.ts'
import { succeed } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/** The arguments of each generator. All of them read openapi.json, and write TypeScript. */
const GENERATORS = {
  'openapi-typescript': ['openapi.json', '--output', 'openapi-typescript/schema.ts'],
  'openapi-ts': ['--input', 'openapi.json', '--output', 'hey-api', '--client', '@hey-api/client-fetch'],
  orval: ['--input', 'openapi.json', '--output', 'orval/client.ts', '--client', 'fetch'],
}

export type Generator = keyof typeof GENERATORS

export const generators = Object.keys(GENERATORS) as Generator[]

/** The strictest options that a team is likely to compile a client with. */
const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'dom', 'dom.iterable'],
    module: 'esnext',
    moduleResolution: 'bundler',
    allowImportingTsExtensions: true,
    types: [],
    // The programs of the tests import the clients by these names.
    paths: { 'generated/*': ['./*'] },
    noEmit: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    skipLibCheck: true,
  },
  include: ['**/*.ts'],
}

/** A directory with a document, and the clients that are generated from it. */
export interface Clients {
  readonly directory: string
  generate(generator: Generator): Promise<void>
  /** Compiles all files of the directory. @throws with the errors of the compiler */
  compile(): Promise<void>
}

/** Installs the generators of test/openapi-clients/ once for each lock file. */
export async function createClients(document: string): Promise<Clients> {
  const packages = await installPackages(resolve('test/openapi-clients'), 'openapi-clients')
  const directory = temporaryDirectory('clients')
  symlinkSync(packages, join(directory, 'node_modules'))
  cpSync('test/openapi-clients/package.json', join(directory, 'package.json'))
  writeFileSync(join(directory, 'openapi.json'), document)
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  const env = { ...process.env, NODE_OPTIONS: '' }
  return {
    directory,
    async generate(generator) {
      mkdirSync(join(directory, generator), { recursive: true })
      const args = [join('node_modules/.bin', generator), ...GENERATORS[generator]]
      await succeed(process.execPath, args, { cwd: directory, env })
    },
    async compile() {
      await succeed(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '--project', directory])
    },
  }
}
