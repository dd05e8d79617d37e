import { createServer } from 'node:http'
import { afterAll, expect, test } from '@jest/globals'
import request from 'supertest'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { createHttp } from '../http.ts'
import { listRoutes, type RouteSettings } from '../routes.ts'

let on = true
// The settings of other operations are absent, because only their handlers read them.
const settings = (): Partial<RouteSettings> => ({ NODE_ENV: 'production', FEATURES: on ? ['docs'] : [] })
const app = createHttp({
  logger: createLogger({ destination: { write() {} } }),
  context: createRequestContext(),
  trustProxy: 0,
  bodyLimitBytes: 1_000,
  rateLimit: (_req, _res, next) => next(),
  cors: { origins: ['https://app.example.com'] },
  routes: listRoutes({ settings: settings as () => RouteSettings, optional: [] }),
})
const server = createServer(app).listen(0)
const client = request(server)
afterAll(() => {
  server.close()
})

const page = () => client.get('/docs').expect(200).expect('content-type', 'text/html; charset=utf-8')

const findFiles = (text: string) => [...text.matchAll(/(?:src|href)="(\/docs[^"]*)"/g)].map(([, path = '']) => path)

test('the page has its own content security policy, and keeps the other security headers of the service', async () => {
  const { headers } = await page()
  expect(headers['content-security-policy']).toBe(
    "default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none';" +
      "script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self'",
  )
  const data = await client.get('/ping')
  expect(data.headers['content-security-policy']).not.toContain('self')
  const names = (all: object) => Object.keys(all).filter((name) => /^x-|policy$|security$/.test(name))
  expect(names(headers)).toEqual(expect.arrayContaining(names(data.headers)))
  expect(headers['cache-control']).toBe('private, no-cache')
})

test('the files are compressed for clients that accept gzip, plain for other clients, and cached forever', async () => {
  const files = findFiles((await page()).text)
  expect(files).toHaveLength(4)
  for (const path of files) {
    const [zipped, plain] = [
      await client.get(path).buffer().set('accept-encoding', 'gzip, br').expect(200),
      await client.get(path).buffer().set('accept-encoding', 'identity').expect(200),
    ]
    expect(zipped.headers['content-encoding']).toBe('gzip')
    expect(plain.headers).not.toHaveProperty('content-encoding')
    for (const { headers } of [zipped, plain]) {
      expect(headers).toMatchObject({
        'cache-control': 'public, max-age=31536000, immutable',
        'content-type': path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8',
        vary: 'origin, accept-encoding',
      })
    }
    expect(plain.text).toBe(zipped.text)
    expect(Buffer.byteLength(plain.text)).toBe(Number(plain.headers['content-length']))
    if (plain.text.length > 1_000) {
      expect(Number(zipped.headers['content-length'])).toBeLessThan(plain.text.length / 2)
    }
    const head = await client.head(path).set('accept-encoding', 'gzip').expect(200)
    expect(head.headers['content-length']).toBe(zipped.headers['content-length'])
  }
})

test.each(['gzip;q=0', 'br', ''])('accept-encoding "%s" gets no gzip', async (accepted) => {
  const [path = ''] = findFiles((await page()).text)
  const { headers } = await client.get(path).set('accept-encoding', accepted).expect(200)
  expect(headers).not.toHaveProperty('content-encoding')
})

test.each(['/docs/swagger-ui.js', '/docs/__proto__', '/docs/..%2f..%2fpackage.json'])('%s is a 404', async (path) => {
  await client
    .get(path)
    .expect(404)
    .expect('content-type', /problem\+json/)
})

test('the page does not exist when the feature is off', async () => {
  const [path = ''] = findFiles((await page()).text)
  on = false
  await client.get('/docs').expect(404)
  await client.get(path).expect(404)
  on = true
})
