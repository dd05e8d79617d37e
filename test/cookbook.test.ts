import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { applyHunks, applyRecipes, listBlocks } from './support/recipes.ts'
import { run, succeed } from './support/run.ts'
import { type TestService, testPostgres, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

const SECRETS = ['the-secret-of-the-sender-of-webhooks', 'the-secret-of-the-sender-before-now']
const CUSTOMER = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
const page = readFileSync('docs/cookbook.md', 'utf8')

let root: string
let database: TestService
let admin: pg.Client
let rates: Awaited<ReturnType<typeof listen>>
let app: RunningApp
const files = temporaryDirectory('uploads')
const program = () => [process.execPath, join(root, 'src/main.ts')]
let env: Record<string, string>

beforeAll(async () => {
  root = applyRecipes(page)
  database = await testPostgres()
  admin = new pg.Client(database.url)
  await admin.connect()
  const server = createServer((req, res) => {
    const [, currency = ''] = /^\/rates\/(.+)$/.exec(req.url ?? '') ?? []
    res.setHeader('content-type', 'application/json').statusCode = currency === 'XXX' ? 404 : 200
    res.end(JSON.stringify({ currency, rate: currency === 'BAD' ? 'none' : 1.25 }))
  })
  rates = await listen(server)
  env = {
    DATABASE_URL: database.url,
    WEBHOOK_SECRETS: SECRETS.join(),
    UPLOAD_DIRECTORY: files,
    UPSTREAMS: `rates=${rates.url}`,
    GREETING: 'Good morning',
    DRAIN_DELAY_MS: '1000',
    LOG_LEVEL: 'debug',
  }
  expect(await runApp(['migrate'], { program: program(), env })).toMatchObject({ code: 0 })
  await admin.query(`
    insert into customers (id, name) values ('${CUSTOMER}', 'Ada');
    insert into invoices (number, total, state, customer, updated_at) values
      ('old', 1, 'paid', '${CUSTOMER}', now() - interval '31 days'),
      ('old and open', 1, 'open', '${CUSTOMER}', now() - interval '31 days'),
      ('young', 1, 'paid', '${CUSTOMER}', now() - interval '29 days')`)
  app = await startApp({ program: program(), env })
}, 60_000)
afterAll(async () => {
  await killApps()
  await rates.stop()
  await admin.end()
  await database.stop()
})

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(`${app.url}${path}`, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers })
const readCode = async (response: Response) =>
  `${response.status} ${((await response.json()) as { code: string }).code}`

test('the page with its recipes is well typed and has the style of the service', async () => {
  const types = await run(resolve('node_modules/.bin/tsc'), ['-p', '.'], { cwd: root })
  expect(types.stdout).toBe('')
  const style = ['check', '--error-on-warnings', '--vcs-enabled=false', 'config', 'internal', 'test/invoices']
  const { stderr } = await run(resolve('node_modules/.bin/biome'), style, { cwd: root })
  expect(stderr).toBe('')
  expect(await run(process.execPath, ['scripts/check-migrations.ts'], { cwd: root })).toMatchObject({ stderr: '' })
}, 120_000)

test('the unit tests of the resource still pass', async () => {
  const transform = { '[.]ts$': '<rootDir>/test/support/strip-types.mjs' }
  const config = { rootDir: root, roots: ['<rootDir>/internal'], extensionsToTreatAsEsm: ['.ts'], transform }
  const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--config', JSON.stringify(config)]
  await succeed(process.execPath, jest, { cwd: root })
}, 120_000)

test('a change whose position does not exist or is not unique is an error', () => {
  expect(() => applyHunks('one\ntwo\n', ' three\n+four\n')).toThrow('0 positions')
  expect(() => applyHunks('one\none\n', ' one\n+four\n')).toThrow('2 positions')
  expect(() => listBlocks('```ts\nconst path = 1\n```\n')).toThrow('does not name its file')
})

test('a setting reaches the handler', async () => {
  expect(await (await fetch(`${app.url}/v1/greetings?name=Ada`)).json()).toEqual({ text: 'Good morning, Ada' })
})

const json = { 'content-type': 'application/json' }
async function createInvoice(fields: object): Promise<{ readonly id: string }> {
  const body = JSON.stringify({ total: 7, state: 'open', customer: CUSTOMER, ...fields })
  const response = await post('/v1/invoices', body, json)
  const created = (await response.json()) as { id: string }
  expect([response.status, created]).toEqual([201, expect.objectContaining({ version: 1, ...fields })])
  return created
}

test('a new field has a default, and the list can be sorted by it', async () => {
  for (const fields of [{ number: 'c', priority: 1 }, { number: 'a' }, { number: 'b', priority: -1 }]) {
    await createInvoice(fields)
  }
  const page = await (await fetch(`${app.url}/v1/invoices?sort=priority&state=open&limit=100`)).json()
  const priorities = (page as { items: { priority: number }[] }).items.map(({ priority }) => priority)
  expect(priorities).toEqual([-1, ...priorities.slice(1, -1).map(() => 0), 1])
})

test('each page of a list shows the names of the customers', async () => {
  for (const number of ['join-1', 'join-2', 'join-3']) await createInvoice({ number })
  const path = `/v1/invoices?limit=2&sort=-number&state=open&customer=${CUSTOMER}`
  const first = (await (await fetch(app.url + path)).json()) as { items: object[]; next: string }
  const second = (await (await fetch(`${app.url}${path}&cursor=${first.next}`)).json()) as typeof first
  for (const { items } of [first, second]) expect(items).toHaveLength(2)
  expect([...first.items, ...second.items]).toMatchObject(
    ['old and open', 'join-3', 'join-2', 'join-1'].map((number) => ({
      number,
      customerName: 'Ada',
      customer: CUSTOMER,
    })),
  )
})

test('a rule refuses an invoice with an error code of the service', async () => {
  const body = JSON.stringify({ number: 'paid', total: 1, state: 'paid', customer: CUSTOMER })
  expect(await readCode(await post('/v1/invoices', body, json))).toBe('422 invoice_not_open')
})

describe('the webhook', () => {
  const seconds = () => Math.floor(Date.now() / 1_000)
  const sign = (body: string, timestamp: number | string = seconds(), secret = SECRETS[0]!) => ({
    'content-type': 'application/json',
    'x-timestamp': String(timestamp),
    'x-signature': createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex'),
  })
  const send = (body: string, headers: Record<string, string> = sign(body)) => post('/v1/webhooks', body, headers)
  const read = async (id: string) => (await admin.query('select version, state from invoices where id = $1', [id])).rows

  test('changes the invoice once, by an event with its bytes as they were sent', async () => {
    const { id } = await createInvoice({ number: 'webhook-1' })
    const body = `{ "id":"event-1",\n  "type" : "invoice.paid", "invoice": "${id}", "amount": 1.0 }`
    const headers = sign(body)
    expect((await send(body, headers)).status).toBe(204)
    expect((await send(body, headers)).status).toBe(204)
    expect((await send(body)).status).toBe(204)
    expect(await read(id)).toEqual([{ version: 2, state: 'paid' }])
  })

  test('ignores an event of another type, and tells the sender that an invoice does not exist', async () => {
    const { id } = await createInvoice({ number: 'webhook-2' })
    expect((await send(`{"id":"event-2","type":"invoice.seen","invoice":"${id}"}`)).status).toBe(204)
    expect(await read(id)).toEqual([{ version: 1, state: 'open' }])
    const unknown = `{"id":"event-3","type":"invoice.paid","invoice":"${CUSTOMER}"}`
    expect(await readCode(await send(unknown))).toBe('404 not_found')
  })

  test('accepts the previous secret during a change of the secret', async () => {
    const body = `{"id":"event-4","type":"invoice.seen","invoice":"${CUSTOMER}"}`
    expect((await send(body, sign(body, seconds(), SECRETS[1]))).status).toBe(204)
  })

  // With a valid signature, the response to this event would be 404: no such invoice exists.
  const body = `{"id":"forged","type":"invoice.paid","invoice":"${CUSTOMER}"}`
  test.each<[string, () => Record<string, string>]>([
    ['another body', () => sign(body.replace('forged', 'other'))],
    ['another secret', () => sign(body, seconds(), 'x'.repeat(32))],
    ['a time before the window', () => sign(body, seconds() - 330)],
    ['a time after the window', () => sign(body, seconds() + 330)],
    ['a new time with the old signature', () => ({ ...sign(body, seconds() - 400), 'x-timestamp': String(seconds()) })],
    ['a time that is not a number', () => sign(body, 'NaN')],
    ['no time', () => sign(body, '')],
    ['a shorter signature', () => ({ ...sign(body), 'x-signature': sign(body)['x-signature'].slice(0, 62) })],
    ['a longer signature', () => ({ ...sign(body), 'x-signature': `${sign(body)['x-signature']}00` })],
    ['an empty signature', () => ({ ...sign(body), 'x-signature': '' })],
  ])('refuses an event with %s', async (_name, headers) => {
    expect(await readCode(await send(body, headers()))).toBe('401 invalid_signature')
  })

  test('refuses a signed body that is no event, and a large body', async () => {
    for (const wrong of ['', 'no json', '{"id":"1"}', `{"id":"../1","type":"a","invoice":"${CUSTOMER}"}`, 'null']) {
      expect(await readCode(await send(wrong))).toBe('422 invalid_input')
    }
    expect(await readCode(await send(' '.repeat(65 * 1024)))).toBe('413 body_too_large')
  })
})

test('the periodic job deletes old invoices that are paid', async () => {
  expect(await app.line({ message: 'job ended' })).toMatchObject({
    'App.job.name': 'remove-old-invoices',
    'App.job.result': 'ok',
  })
  const { rows } = await admin.query(
    `select number from invoices where number like 'old%' or number = 'young' order by 1`,
  )
  expect(rows).toEqual([{ number: 'old and open' }, { number: 'young' }])
})

describe('an upload', () => {
  const type = { 'content-type': 'application/octet-stream' }
  const open = (headers: Record<string, string> = {}) =>
    request(`${app.url}/v1/uploads`, { method: 'POST', headers: { ...type, ...headers } })
  const answered = async (upload: ReturnType<typeof open>) => {
    const [response] = (await once(upload, 'response')) as [IncomingMessage]
    return response.resume().statusCode
  }

  test('is stored with its bytes', async () => {
    const content = Buffer.from(Array.from({ length: 3 * 2 ** 20 }, (_, index) => index % 251))
    const response = await post('/v1/uploads', content, type)
    expect(response.status).toBe(201)
    const { id } = (await response.json()) as { id: string }
    expect(readFileSync(join(files, id)).equals(content)).toBe(true)
  })

  test('reaches the disk while the client sends, and is not visible before its end', async () => {
    const before = readdirSync(files)
    const upload = open()
    upload.write(Buffer.alloc(2 ** 20))
    const listNew = () => readdirSync(files).filter((file) => !before.includes(file))
    await until(async () => listNew().some((file) => statSync(join(files, file)).size === 2 ** 20))
    expect(listNew()).toEqual([expect.stringMatching(/\.partial$/)])
    upload.end()
    expect(await answered(upload)).toBe(201)
    expect(listNew()).toEqual([expect.not.stringMatching(/\.partial$/)])
  })

  test('above the limit leaves no file, with and without a content-length', async () => {
    const before = readdirSync(files)
    const declared = open({ 'content-length': String(11 * 2 ** 20) })
    declared.flushHeaders()
    expect(await answered(declared)).toBe(413)
    declared.destroy()
    const chunked = open()
    const status = answered(chunked)
    chunked.on('error', () => {})
    for (let sent = 0; sent < 11; sent++) chunked.write(Buffer.alloc(2 ** 20))
    expect(await status).toBe(413)
    chunked.destroy()
    await until(async () => readdirSync(files).length === before.length)
  })

  test('of a client that disconnects leaves no file', async () => {
    const before = readdirSync(files)
    const upload = open({ 'content-length': '5000000' }).on('error', () => {})
    upload.write(Buffer.alloc(2 ** 20))
    await until(async () => readdirSync(files).length === before.length + 1)
    upload.destroy()
    await until(async () => readdirSync(files).length === before.length)
  })

  test('of another type is refused', async () => {
    expect(await readCode(await post('/v1/uploads', 'text', { 'content-type': 'text/plain' }))).toBe(
      '415 unsupported_media_type',
    )
  })

  test('cannot choose its path', async () => {
    mkdirSync(join(files, 'folder'), { recursive: true })
    const headers = { ...type, 'content-disposition': 'attachment; filename="../../evil"' }
    const { id } = (await (await post('/v1/uploads', 'x', headers)).json()) as { id: string }
    expect(id).toMatch(/^[\da-f-]{36}$/)
  })
})

describe('an event stream', () => {
  /** Opens a stream. `next` resolves with its next line that is not empty, and with undefined at its end. */
  async function subscribe({ url }: RunningApp, headers: Record<string, string> = {}) {
    const sent = request(`${url}/v1/messages`, { headers }).end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const lines = createInterface({ input: response })[Symbol.asyncIterator]()
    async function next(): Promise<string | undefined> {
      const { value, done } = await lines.next()
      return done ? undefined : value === '' ? next() : value
    }
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store' })
    expect(response.headers['content-type']).toMatch(/^text\/event-stream\b/)
    expect(await next()).toMatch(/^retry: [1-5]\d{3}$/)
    return { next, response, sent }
  }
  const publish = async (text: string, { url } = app) => {
    const headers = { 'content-type': 'application/json' }
    const { status } = await fetch(`${url}/v1/messages`, { method: 'POST', body: JSON.stringify({ text }), headers })
    expect(status).toBe(204)
  }

  test('gets each message, and a client that connects again gets the messages that it has missed', async () => {
    const [one, two] = [await subscribe(app), await subscribe(app)]
    await publish('first')
    const id = await one.next()
    expect(id).toMatch(/^id: \S+$/)
    expect([await two.next(), await one.next(), await two.next()]).toEqual([
      id,
      'data: {"text":"first"}',
      'data: {"text":"first"}',
    ])
    one.sent.destroy()
    await publish('second\n\ndata: forged')
    await publish('third')
    const again = await subscribe(app, { 'last-event-id': id!.slice(4) })
    await again.next()
    expect(await again.next()).toBe('data: {"text":"second\\n\\ndata: forged"}')
    await again.next()
    expect(await again.next()).toBe('data: {"text":"third"}')
    for (const each of [two, again]) each.sent.destroy()
  })

  test.each(['another-instance/1', 'nonsense', '9'.repeat(400)])('with an unknown id gets reset', async (id) => {
    const stream = await subscribe(app, { 'last-event-id': id })
    expect(await stream.next()).toMatch(/^id: /)
    expect(await stream.next()).toBe('event: reset')
    stream.sent.destroy()
  })

  test('of a client that does not read is closed, and the others stay open', async () => {
    const slow = connect(app.port, '127.0.0.1')
    slow.write('GET /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-request-id: slow-client\r\n\r\n')
    await once(slow, 'readable')
    const reader = await subscribe(app)
    let isClosed = false
    const closed = app.line({ 'http.request.id': 'slow-client' }).then(() => {
      isClosed = true
    })
    const received = (async () => {
      for (let line = await reader.next(); line !== 'data: {"text":"end"}'; ) line = await reader.next()
    })()
    // JSON has six bytes for this character.
    const large = '\u0001'.repeat(1_000)
    for (let sent = 0; sent < 5_000 && !isClosed; sent += 50) {
      await Promise.all(Array.from({ length: 50 }, () => publish(large)))
    }
    await closed
    await publish('end')
    await received
    reader.sent.destroy()
    slow.destroy()
  })

  test('stays open during the drain delay, and ends before the service stops', async () => {
    const leaving = await startApp({ program: program(), env })
    const stream = await subscribe(leaving)
    leaving.signal('SIGTERM')
    await leaving.line({ message: 'draining' })
    await publish('in the drain', leaving)
    const id = await stream.next()
    expect(await stream.next()).toBe('data: {"text":"in the drain"}')
    expect(await stream.next()).toBeUndefined()
    expect(stream.response.complete).toBe(true)
    expect(await leaving.ended).toEqual({ code: 0, signal: null })
    const again = await subscribe(app, { 'last-event-id': id!.slice(4) })
    await again.next()
    expect(await again.next()).toBe('event: reset')
    again.sent.destroy()
  })
})

test('a call of another service has its errors', async () => {
  const read = (currency: string) => fetch(`${app.url}/v1/rates/${currency}`)
  expect(await (await read('EUR')).json()).toEqual({ currency: 'EUR', rate: 1.25 })
  expect(await readCode(await read('XXX'))).toBe('404 not_found')
  expect(await readCode(await read('BAD'))).toBe('502 upstream_invalid_response')
  expect(await readCode(await read('eur'))).toBe('404 not_found')
  expect((await read('..%2Fadmin')).status).toBe(400)
  await rates.stop()
  expect(await readCode(await read('EUR'))).toBe('503 upstream_unavailable')
})
