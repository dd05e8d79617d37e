import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { build } from 'esbuild'
import { type DescribedService, startDescribed } from '../support/described.ts'
import { succeed } from '../support/run.ts'
import { createClients } from './clients/generate.ts'

// The first run downloads the generators.
jest.setTimeout(300_000)

let service: DescribedService
beforeAll(async () => {
  service = await startDescribed()
})
afterAll(() => service.stop())

/** Each program uses the client of one generator. */
test.each([
  ['openapi-ts', 'hey-api', { text: 'New' }],
  ['openapi-typescript', 'openapi-typescript', { text: 'New' }],
  ['orval', 'orval', {}],
] as const)(
  'the client of %s creates, reads and lists notes, and gets a typed error',
  async (generator, name, more) => {
    const clients = await createClients(await (await fetch(`${service.app.url}/openapi.json`)).text())
    await clients.generate(generator)
    const program = join(clients.directory, 'program.ts')
    writeFileSync(program, await readFile(`test/notes/clients/${name}.txt`, 'utf8'))
    await clients.compile()
    const outfile = join(clients.directory, 'program.mjs')
    const define = { BASE_URL: JSON.stringify(service.app.url) }
    await build({ entryPoints: [program], outfile, define, bundle: true, platform: 'node', format: 'esm' })
    expect(JSON.parse(await succeed(process.execPath, [outfile]))).toEqual({
      ...{ read: expect.stringMatching(/^From /), listed: [true], code: 'conflict', ...more },
    })
  },
)
