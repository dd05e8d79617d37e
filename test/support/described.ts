import { expect } from '@jest/globals'
import request, { type Response } from 'supertest'
import { type RunningApp, runApp, startApp } from './app.ts'
import { examinerOf, type OpenapiDocument } from './openapi.ts'
import { type TestService, testPostgres, testRedis, until } from './services.ts'

export interface Sent {
  readonly body?: string | object
  readonly headers?: Readonly<Record<string, string>>
  /** Another process of the same service. */
  readonly to?: RunningApp
}

/** The service with stores of its own. */
export interface DescribedService {
  readonly app: RunningApp
  readonly env: Readonly<Record<string, string>>
  readonly database: TestService
  readonly redis: TestService
  /** A request whose answer must be as /openapi.json says. */
  send(method: 'get' | 'post' | 'patch' | 'delete', path: string, sent?: Sent): Promise<Response>
  stop(): Promise<void>
}

export const bothOk = ({ url }: RunningApp) => until(async () => (await request(url).get('/health')).status === 200)

export async function startDescribed(): Promise<DescribedService> {
  const [database, redis] = await Promise.all([testPostgres(), testRedis()])
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url, SERVICE_NAME: 'described' }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  const app = await startApp({ env })
  await bothOk(app)
  const document: OpenapiDocument = (await request(app.url).get('/openapi.json').expect(200)).body
  const examine = examinerOf(document)
  return {
    app,
    env,
    database,
    redis,

    async send(method, path, { body, headers = {}, to = app } = {}) {
      const asked = request(to.url)[method](path).set(headers)
      const answer = body === undefined ? await asked : await asked.type('json').send(body)
      const template = path.replace(/\?.*/, '').replace(/^(\/v1\/[^/]+)\/.+/, '$1/{id}')
      const described = document.paths[template]?.[method]?.responses[answer.status]
      expect([method, path, answer.status, described]).toEqual([method, path, answer.status, expect.anything()])
      const [type = ''] = (answer.headers['content-type'] ?? '').split(';')
      const media = described?.content?.[type]
      expect(Object.keys(described?.content ?? {})).toEqual(type === '' ? [] : [type])
      if (media?.schema) expect(examine(media.schema, answer.body)).toEqual([])
      return answer
    },

    async stop() {
      const ended = app.ended
      app.signal('SIGINT')
      await ended
      await Promise.all([database.stop(), redis.stop()])
    },
  }
}

/** Where what was created is. */
export const pathOf = ({ headers }: Response) => String(headers['location'])

export const codeOf = ({ status, body }: Response) => `${status} ${body.code}`

/** The fields that an answer calls invalid. */
export const invalidOf = ({ body }: Response) => body.errors.map(({ field }: { field: string }) => field)
