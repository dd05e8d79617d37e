import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { killApps, startApp } from '../../support/app.ts'
import { freePort } from '../../support/services.ts'
import { type Clients, createClients, generators } from './generate.ts'

// The first run downloads the generators.
jest.setTimeout(300_000)

let clients: Clients
beforeAll(async () => {
  // The document does not depend on the state of the database.
  const app = await startApp({
    env: { DATABASE_URL: `postgres://127.0.0.1:${await freePort()}/none`, FEATURES: 'docs,version' },
  })
  clients = await createClients(await (await fetch(`${app.url}/openapi.json`)).text())
})
afterEach(killApps)

test.each(generators)('the client that %s generates from the served document compiles', async (generator) => {
  await clients.generate(generator)
  await clients.compile()
})

test('an error has the type Problem in a generated client', () => {
  const types = readFileSync(join(clients.directory, 'hey-api/types.gen.ts'), 'utf8')
  expect(types).toMatch(/export type Problem = \{[^}]*code: string/)
  expect(types).toMatch(/export type VersionErrors = \{[^}]*500: Problem;/)
})
