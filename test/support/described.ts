import { expect } from '@jest/globals'
import request, { type Response } from 'supertest'
import { type RunningApp, runApp, startApp } from './app.ts'
import { createExaminer, type OpenapiDocument } from './openapi.ts'
import { databaseEnv } from './pgbouncer.ts'
import { type TestService, testPostgres, testRedis, until } from './services.ts'

export interface Sent {
  readonly body?: string | object
  readonly headers?: Readonly<Record<string, string>>
  /** The instance that gets the request. @default app */
  readonly to?: RunningApp
}

/** The service, with its own database and Redis. */
export interface DescribedService {
  readonly app: RunningApp
  readonly env: Readonly<Record<string, string>>
  readonly database: TestService
  readonly redis: TestService
  /** Sends a request. The response must match /openapi.json. */
  send(method: 'get' | 'post' | 'patch' | 'delete', path: string, sent?: Sent): Promise<Response>
  stop(): Promise<void>
}

export const bothOk = ({ url }: RunningApp) => until(async () => (await request(url).get('/health')).status === 200)

export async function startDescribed(): Promise<DescribedService> {
  const [database, redis] = await Promise.all([testPostgres(), testRedis()])
  const way = await databaseEnv(database)
  const env = { ...way.env, REDIS_URL: redis.url, SERVICE_NAME: 'described' }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  const app = await startApp({ env })
  await bothOk(app)
  const document: OpenapiDocument = (await request(app.url).get('/openapi.json').expect(200)).body
  const examine = createExaminer(document)
  return {
    app,
    env,
    database,
    redis,

    async send(method, path, { body, headers = {}, to = app } = {}) {
      const pending = request(to.url)[method](path).set(headers)
      const response = body === undefined ? await pending : await pending.type('json').send(body)
      const template = path.replace(/\?.*/, '').replace(/^(\/v1\/[^/]+)\/[^/]+/, '$1/{id}')
      const described = document.paths[template]?.[method]?.responses[response.status]
      expect([method, path, response.status, described]).toEqual([method, path, response.status, expect.anything()])
      const [type = ''] = (response.headers['content-type'] ?? '').split(';')
      const media = described?.content?.[type]
      expect(Object.keys(described?.content ?? {})).toEqual(type === '' ? [] : [type])
      if (media?.schema) expect(examine(media.schema, response.body)).toEqual([])
      return response
    },

    async stop() {
      const ended = app.ended
      app.signal('SIGINT')
      await ended
      await way.stop()
      await Promise.all([database.stop(), redis.stop()])
    },
  }
}

/** Returns the path of a new resource. */
export const readLocation = ({ headers }: Response) => String(headers['location'])

export const readCode = ({ status, body }: Response) => `${status} ${body.code}`

/** Returns the names of the invalid fields in a response. */
export const listInvalidFields = ({ body }: Response) => body.errors.map(({ field }: { field: string }) => field)

/** Returns the items of every page of a list. `path` has a query. */
export async function readPages({ send }: Pick<DescribedService, 'send'>, path: string) {
  const items: Record<string, unknown>[] = []
  let next: string | null = ''
  while (next !== null) {
    const { status, body } = await send('get', next === '' ? path : `${path}&cursor=${next}`)
    expect([path, status]).toEqual([path, 200])
    items.push(...body.items)
    next = body.next
  }
  return items
}
