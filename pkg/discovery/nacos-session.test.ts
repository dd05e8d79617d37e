import { afterEach, expect, test } from '@jest/globals'
import { startFakeRegistry } from './fakes.ts'
import { createNacosSession } from './nacos-session.ts'
import { parseRegistry } from './registry-address.ts'
import { createRegistryClient } from './registry-client.ts'

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

/** Starts Nacos, and a session whose clock the test sets. */
async function start() {
  const registry = await startFakeRegistry({ kind: 'nacos', password: 's3cret' })
  open.push(registry.stop)
  const clock = { now: 0 }
  const client = createRegistryClient({ origin: parseRegistry(registry.url).origin })
  const session = createNacosSession({ client, username: 'writer', password: 's3cret', now: () => clock.now })
  return {
    ...registry,
    clock,
    send: () => session.request('heartbeat', { method: 'POST', path: '/nacos/v3/client/ns/instance' }),
    logins: () => registry.calls.filter((call) => call === 'log in').length,
  }
}

test('a token is used until 80 % of its lifetime, or until the server refuses it', async () => {
  const { send, logins, clock, setFault } = await start()
  await send()
  clock.now = 0.8 * 18_000_000 - 1
  await send()
  expect(logins()).toBe(1)
  clock.now++
  await send()
  expect(logins()).toBe(2)
  setFault({ status: 403, body: '' })
  await expect(send()).rejects.toMatchObject({ reason: 'unauthorized' })
  setFault(undefined)
  await send()
  expect(logins()).toBe(3)
})

test('a login that fails with 500 asks for the password', async () => {
  const { send, setFault } = await start()
  setFault({ status: 500, body: '' })
  await expect(send()).rejects.toThrow('Nacos: log in (is the password wrong?): status 500, ""')
})

test('a token that is no valid header is rejected, and the error does not quote it', async () => {
  const body = JSON.stringify({ accessToken: 'tok\nen', tokenTtl: 60 })
  const client = { request: async () => ({ status: 200, headers: new Headers(), body }) }
  const session = createNacosSession({ client, username: 'writer', password: 's3cret' })
  const sent = session.request('heartbeat', { method: 'GET', path: '/' })
  await expect(sent).rejects.toThrow('Nacos: log in: the response has no token')
})
