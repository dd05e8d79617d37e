import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { startFakeRegistry } from './fakes.ts'
import { createNacos } from './nacos.ts'
import { parseRegistry } from './registry-address.ts'
import { createRegistryClient } from './registry-client.ts'
import { GARBAGE, useScriptedServer } from './scripted-server.ts'

const registry = useScriptedServer()
const NAMES = { namespace: 'prod', group: 'shop' }
const start = (options: { username?: string; password?: string; now?: () => number } = {}, timeoutMs?: number) =>
  registry.observe((client) => createNacos({ client, ...NAMES, pollMs: 1, ...options }).watch('orders'), timeoutMs)

const instance = (ip: string, rest: object = {}) => ({ ip, port: 8080, healthy: true, enabled: true, ...rest })
const success = (data: unknown) => JSON.stringify({ code: 0, message: 'success', data })

test('only healthy and enabled instances are listed', async () => {
  let target = ''
  registry.respondWith((req, res) => {
    target = req.url ?? ''
    const list = [
      instance('10.0.0.1', { weight: 2.5 }),
      instance('10.0.0.2', { healthy: false }),
      instance('10.0.0.3', { enabled: false }),
      instance('10.0.0.4'),
    ]
    res.end(success(list))
  })
  await expect(start().next()).resolves.toEqual([
    { id: '10.0.0.1:8080', host: '10.0.0.1', port: 8080, weight: 2.5 },
    { id: '10.0.0.4:8080', host: '10.0.0.4', port: 8080 },
  ])
  expect(target).toBe(
    '/nacos/v3/client/ns/instance/list?namespaceId=prod&groupName=shop&serviceName=orders&healthyOnly=true',
  )
})

/** Grants a new token for each login, and rejects all tokens but the last. */
function grantTokens(tokenTtl: number) {
  const logins: string[] = []
  const tokens: unknown[] = []
  registry.respondWith(async (req, res) => {
    if (req.url === '/nacos/v3/auth/user/login') {
      logins.push(await text(req))
      return res.end(JSON.stringify({ accessToken: `token${logins.length}`, tokenTtl }))
    }
    tokens.push(req.headers['accesstoken'])
    return res.end(success([]))
  })
  return { logins, tokens }
}

test('a user logs in, and again before the token expires', async () => {
  let now = 0
  const { logins, tokens } = grantTokens(100)
  const observed = start({ username: 'me', password: 'a&b', now: () => now })
  await observed.next()
  expect(logins).toEqual(['username=me&password=a%26b'])
  expect(tokens[0]).toBe('token1')
  now = 99_000
  await observed.next(() => tokens.at(-1) === 'token2')
})

test('a rejected token is replaced', async () => {
  const { tokens } = grantTokens(100)
  const observed = start({ username: 'me', password: 'pw', now: () => 0 })
  await observed.next()
  registry.respondJson({}, 403)
  await observed.next((each) => each instanceof Error)
  const again = grantTokens(100)
  await observed.next(() => again.tokens.length > 0)
  expect(again.logins).toHaveLength(1)
  expect(tokens[0]).toBe('token1')
})

test('a wrong password is an error without the password', async () => {
  registry.respondWith((_req, res) => res.writeHead(403).end('unknown user me with s3cret'))
  const refused = (await start({ username: 'me', password: 's3cret' }).next()) as Error
  expect(refused.message).toMatch(/log in: status 403/)
  expect(refused.message).not.toContain('s3cret')
})

test.each([...GARBAGE, '{"code":0,"data":null}', '{"code":0,"data":{}}', '{"code":22001,"data":[]}'])(
  'garbage is an error, never an empty list: %j',
  async (body) => {
    registry.respondWith((_req, res) => res.end(body))
    await expect(start().next()).resolves.toBeInstanceOf(Error)
  },
)

test('a code other than 0 and a hanging server are errors, and the watch continues after them', async () => {
  registry.respondJson({ code: 22001, message: 'namespace not exist', data: null })
  const observed = start({}, 500)
  await observed.next((each) => String(each).includes('22001'))
  registry.respondWith(() => undefined)
  await observed.next((each) => (each as Error).name === 'TimeoutError')
  registry.respondWith((_req, res) => res.end(success([instance('10.0.0.1')])))
  await expect(observed.next(Array.isArray)).resolves.toHaveLength(1)
})

const USER = { username: 'writer', password: 's3cret' }
const OWN = { id: 'a', service: 'orders', version: '1', host: '10.0.0.5', port: 8080, isReady: true }
const { signal } = new AbortController()

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

/** Starts Nacos, and a client whose clock the test sets. */
async function startNacos() {
  const registry = await startFakeRegistry({ kind: 'nacos', password: 's3cret' })
  open.push(registry.stop)
  const clock = { now: 0 }
  const client = createRegistryClient({ origin: parseRegistry(registry.url).origin })
  const nacos = createNacos({ client, ...NAMES, ...USER, now: () => clock.now })
  return {
    ...registry,
    clock,
    send: () => nacos.renew(OWN, signal),
    logins: () => registry.calls.filter((call) => call === 'log in').length,
  }
}

test('a token is used until 80 % of its lifetime, or until the server refuses it', async () => {
  const { send, logins, clock, setFault } = await startNacos()
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

test('the error of a login that fails with 500 asks whether the password is wrong', async () => {
  const { send, setFault } = await startNacos()
  setFault({ status: 500, body: '' })
  await expect(send()).rejects.toThrow('Nacos: log in (is the password wrong?): status 500, ""')
})

test('a token that is not a valid header is rejected, and the error does not quote it', async () => {
  const body = JSON.stringify({ accessToken: 'tok\nen', tokenTtl: 60 })
  const client = { request: async () => ({ status: 200, headers: new Headers(), body }) }
  await expect(createNacos({ client, ...NAMES, ...USER }).renew(OWN, signal)).rejects.toThrow(
    'Nacos: log in: the response has no token',
  )
})
