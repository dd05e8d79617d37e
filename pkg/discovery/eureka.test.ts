import { expect, test } from '@jest/globals'
import { createEureka } from './eureka.ts'
import { GARBAGE, useScriptedServer } from './scripted-server.ts'

const registry = useScriptedServer()
const start = (login: { username?: string; password?: string } = {}, timeoutMs?: number) =>
  registry.observe(
    (client) => createEureka({ client, path: '/eureka', pollMs: 1, ...login }).watch('orders'),
    timeoutMs,
  )

const instance = (id: string, status = 'UP', port: unknown = { $: 8080, '@enabled': 'true' }) => ({
  instanceId: id,
  hostName: `${id}.example`,
  ipAddr: '10.0.0.1',
  status,
  port,
  securePort: { $: 8443, '@enabled': 'true' },
})

test('only instances with status UP are listed, by their address', async () => {
  let seen: unknown
  registry.respondWith((req, res) => {
    seen = [req.url, req.headers.accept, req.headers.authorization]
    const list = [
      instance('a'),
      instance('b', 'DOWN'),
      instance('c', 'OUT_OF_SERVICE'),
      instance('d', 'STARTING'),
      instance('e', 'UP', { $: '8081', '@enabled': 'true' }),
      instance('f', 'UP', { $: 8080, '@enabled': 'false' }),
    ]
    res.end(JSON.stringify({ application: { name: 'ORDERS', instance: list } }))
  })
  await expect(start({ username: 'me', password: 'pw' }).next()).resolves.toEqual([
    { id: 'a', host: '10.0.0.1', port: 8080 },
    { id: 'e', host: '10.0.0.1', port: 8081 },
    { id: 'f', host: '10.0.0.1', port: 8443 },
  ])
  expect(seen).toEqual(['/eureka/apps/ORDERS', 'application/json', `Basic ${btoa('me:pw')}`])
})

test('a single instance may stand without a list', async () => {
  registry.respondJson({ application: { instance: instance('a') } })
  await expect(start().next()).resolves.toHaveLength(1)
})

test('an unknown application has no instances', async () => {
  registry.respondJson({}, 404)
  await expect(start().next()).resolves.toEqual([])
})

test.each(GARBAGE)('garbage is an error, never an empty list: %j', async (body) => {
  registry.respondWith((_req, res) => res.end(body))
  await expect(start().next()).resolves.toBeInstanceOf(Error)
})

test('failures are errors without credentials, and the watch continues after them', async () => {
  registry.respondWith((req, res) => res.writeHead(401).end(`${req.headers.authorization} s3cret`))
  const observed = start({ username: 'me', password: 's3cret' }, 500)
  const refused = (await observed.next((each) => String(each).includes('status 401'))) as Error
  expect(refused.message).not.toContain('s3cret')
  expect(refused.message).not.toContain(btoa('me:s3cret'))
  registry.respondWith(() => undefined)
  await observed.next((each) => (each as Error).name === 'TimeoutError')
  registry.respondJson({ application: { instance: [instance('a')] } })
  await expect(observed.next(Array.isArray)).resolves.toHaveLength(1)
})
