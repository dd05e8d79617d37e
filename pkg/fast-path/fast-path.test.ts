import { once } from 'node:events'
import { type ClientRequest, createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler, type Response } from 'express'
import { CodedError, problemHandler } from '../problem/index.ts'
import { inOrder } from './in-order.ts'
import { sendJsonAtOnce } from './json-response.ts'
import { adoptMessageClasses, createMessageClasses, type MessageClasses } from './messages.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(app: RequestListener, options: Partial<MessageClasses> = {}): Promise<number> {
  const server = createServer(options, app).listen(0)
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Sends bytes on a new connection and returns the bytes of the response with its date removed. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  return (await text(socket)).replace(/^date: .*$/im, 'date:')
}

const request = (head: string) => `${head}\r\nhost: x\r\nconnection: close\r\n\r\n`

function createApp(handlers: readonly RequestHandler[]): Express {
  const app = express()
  app.disable('etag')
  app.disable('x-powered-by')
  for (const handler of handlers) app.use(handler)
  app.use(problemHandler())
  return app
}

const CONSTANTS = new Map([
  ['Content-Security-Policy', "default-src 'none'"],
  ['X-Frame-Options', 'DENY'],
])
const OTHER = new Map([
  ['X-Frame-Options', 'SAMEORIGIN'],
  ['X-Other', '1'],
])

const uses: Readonly<Record<string, (res: Response) => void>> = {
  'no other header': (res) => void res.end('ok'),
  'an additional header': (res) => void res.set('x-own', '1').send('ok'),
  'a constant header with another value': (res) => void res.set('x-frame-options', 'SAMEORIGIN').send('ok'),
  'a constant header removed': (res) => {
    res.removeHeader('X-Frame-Options')
    res.end('ok')
  },
  'headers that are read': (res) => {
    const { headers } = { headers: res.getHeaders() }
    res.end(JSON.stringify([headers, res.getHeader('x-frame-options'), res.hasHeader('x-request-id')]))
  },
  'the raw names of headers': (res) => void res.end(String((res as unknown as ClientRequest).getRawHeaderNames())),
  'a head that names a constant header': (res) => void res.writeHead(201, ['x-frame-options', 'x']).end('ok'),
  'a head without fields': (res) => void res.writeHead(201, []).end('ok'),
  'a head of pairs': (res) => void res.writeHead(201, [['x-own', '1']] as never).end('ok'),
  'a header removed and set again': (res) => {
    res.removeHeader('x-frame-options')
    res.set('X-Frame-Options', 'x').sendStatus(404)
  },
  'a file': (res) => void res.sendFile(fileURLToPath(import.meta.url)),
  'a redirect': (res) => void res.redirect('/x'),
  '304': (res) => void res.status(304).end(),
  JSON: (res) => void res.json({ a: 1 }),
  'JSON with further headers': (res) => void res.status(201).set({ ETag: '"1"', 'x-own': '1' }).json({ a: 1 }),
  'JSON with a header set twice': (res) => void res.set('x-own', '1').set('X-Own', '2').json({ a: 1 }),
  'JSON with another type': (res) => void res.set('content-type', 'application/merge-patch+json').json({ a: 1 }),
  'JSON with cookies': (res) => void res.cookie('a', '1').cookie('b', '2').json({ a: 1 }),
  'JSON after a further header is read': (res) => void res.set('x-own', '1').json({ a: res.get('X-Own') }),
  'JSON with an invalid header': (res) => {
    try {
      res.setHeader('x-own', 'a\nb')
    } catch (error) {
      res.json({ error: String(error) })
    }
  },
  'JSON with a constant header removed': (res) => {
    res.removeHeader('x-frame-options')
    res.json({ a: 1 })
  },
  'JSON sent twice': (res) => {
    res.json({ a: 1 })
    try {
      res.json({ a: 2 })
    } catch {
      // Node rejects a second head.
    }
  },
  'a header after JSON': (res) => {
    res.json({ a: 1 })
    try {
      res.set('x-own', '1')
    } catch {
      // Node rejects a header after the head.
    }
  },
  'JSON after a package has replaced writeHead': (res) => {
    const { writeHead } = res
    res.writeHead = function replaced(this: Response, ...args: unknown[]) {
      this.setHeader('x-own', '1')
      return writeHead.apply(this, args as never)
    } as never
    res.json({ a: 1 })
  },
  'a header after the head': (res) => {
    res.flushHeaders()
    try {
      res.set('x-own', '1')
    } catch (error) {
      res.end(String(error))
    }
  },
  'an appended header': (res) => void res.append('x-frame-options', 'x').end('ok'),
  'a map of other headers': (res) => void res.setHeaders(OTHER).end('ok'),
  'the constants set twice': (res) => void res.setHeaders(CONSTANTS).end('ok'),
  'another request id': (res) => void res.setHeader('x-request-id', 'other').end('ok'),
  'a head of names and values': (res) => void res.writeHead(201, ['x-own', '1']).end('ok'),
  'a head with an object': (res) => void res.writeHead(201, { 'x-frame-options': 'x' }).end('ok'),
  'a head with a reason': (res) => void res.writeHead(201, 'Made', { 'x-own': '1' }).end('ok'),
  'flushed headers': (res) => {
    res.flushHeaders()
    res.end('ok')
  },
  'a stream': (res) => {
    res.write('o')
    res.end('k')
  },
  'an error': () => {
    throw new Error('broken')
  },
}

test.each(Object.keys(uses))('constant headers send the same bytes as plain headers with %s', async (name) => {
  const seen: unknown[] = []
  const handlers: RequestHandler[] = [
    (req, res, next) => {
      res.once('close', () => seen.push([res.getHeaders(), res.getHeaderNames(), res.getHeader('x-frame-options')]))
      req.id = 'id-1'
      res.setHeaders(CONSTANTS)
      res.setHeader('x-request-id', 'id-1')
      next()
    },
    (_req, res) => uses[name]?.(res),
  ]
  const plain = createApp(handlers)
  const fast = createApp(handlers)
  sendJsonAtOnce(fast, [CONSTANTS])
  const ports = await Promise.all([plain, fast].map((app) => listen(app)))
  for (const method of ['GET', 'HEAD']) {
    seen.length = 0
    const [expected, actual] = [
      await exchange(ports[0]!, request(`${method} / HTTP/1.1`)),
      await exchange(ports[1]!, request(`${method} / HTTP/1.1`)),
    ]
    expect(expected).toContain('Content-Security-Policy')
    expect(actual).toBe(expected)
    // Middleware that runs after the response finds the headers.
    expect(seen).toEqual([seen[0], seen[0]])
  }
})

test('a request id with an invalid character is rejected, as Node rejects it', async () => {
  const app = createApp([
    (req, res) => {
      req.id = 'id-1'
      res.setHeaders(CONSTANTS)
      res.setHeader('x-request-id', 'a\r\nx-evil: 1')
    },
  ])
  sendJsonAtOnce(app, [CONSTANTS])
  const response = await exchange(await listen(app), request('GET / HTTP/1.1'))
  expect(response).toMatch(/^HTTP\/1.1 500 /)
  expect(response).not.toContain('x-evil')
})

test.each([
  ['an object', { a: 'ü', b: [1, null] }, 200],
  ['null', null, 200],
  ['undefined', undefined, 200],
  ['a string', 'text', 200],
  ['another status', { a: 1 }, 201],
  ['204', { a: 1 }, 204],
  ['205', { a: 1 }, 205],
  ['304', { a: 1 }, 304],
])('JSON at once sends the bytes of res.json for %s', async (_name, body, status) => {
  const handlers: RequestHandler[] = [
    (req, res) => {
      if (req.query['etag']) res.set('etag', '"1"')
      res.status(status).json(body)
    },
  ]
  const plain = createApp(handlers)
  const fast = createApp(handlers)
  sendJsonAtOnce(fast)
  const ports = await Promise.all([plain, fast].map((app) => listen(app)))
  for (const head of [
    'GET / HTTP/1.1',
    'HEAD / HTTP/1.1',
    'GET /?etag=1 HTTP/1.1\r\nif-none-match: "1"',
    'GET / HTTP/1.1\r\nif-none-match: *',
  ]) {
    const [expected, actual] = await Promise.all(ports.map((port) => exchange(port, request(head))))
    expect(actual).toBe(expected)
  }
})

test('the message classes send the same bytes as Express, and Express replaces no prototype', async () => {
  let replaced = 0
  const describeRequest: RequestHandler = (req, res) =>
    void res.json({ ip: req.ip, xhr: req.xhr, query: req.query, fresh: req.fresh })
  const plain = createApp([describeRequest])
  const fast = createApp([])
  const classes = createMessageClasses()
  adoptMessageClasses(fast, classes)
  fast.use((req, res, next) => {
    replaced += Number(Object.getPrototypeOf(req) !== classes.IncomingMessage.prototype)
    replaced += Number(Object.getPrototypeOf(res) !== classes.ServerResponse.prototype)
    next()
  })
  fast.use(describeRequest)
  const ports = [await listen(plain), await listen(fast, classes)]
  const [expected, actual] = await Promise.all(
    ports.map((port) => exchange(port, request('GET /?a=1 HTTP/1.1\r\nx-requested-with: XMLHttpRequest'))),
  )
  expect(expected).toContain('"xhr":true')
  expect(actual).toBe(expected)
  expect(replaced).toBe(0)
})

const append =
  (text: string): RequestHandler =>
  (_req, res, next) => {
    res.append('x-order', text)
    next()
  }

const between: Readonly<Record<string, RequestHandler>> = {
  'passes on': (_req, _res, next) => next(),
  'passes on later': (_req, _res, next) => void setImmediate(() => next()),
  'passes an error': (_req, _res, next) => next(new CodedError('not_found')),
  'passes on twice': (_req, _res, next) => {
    next()
    next()
  },
  'passes on and throws': (_req, _res, next) => {
    next()
    throw new CodedError('bad_request')
  },
  'passes null as the error': (_req, _res, next) => next(null),
  'leaves the router': (_req, _res, next) => next('router'),
  throws: () => {
    throw new CodedError('bad_request')
  },
  rejects: async () => {
    throw new CodedError('bad_request')
  },
  'rejects without a reason': () => Promise.reject(),
  'resolves after it has passed on': async (_req, _res, next) => next(),
  responds: (_req, res) => void res.send('early'),
}

test.each(Object.keys(between))('inOrder sends the same bytes as app.use when a handler %s', async (name) => {
  const [first, second, third] = [append('1'), between[name] as RequestHandler, append('3')]
  const last: RequestHandler = (req, res) => void res.send(req.url)
  const ports = await Promise.all(
    [createApp([first, second, third, last]), createApp([inOrder([first, undefined, second, third]), last])].map(
      (app) => listen(app),
    ),
  )
  const [expected, actual] = await Promise.all(ports.map((port) => exchange(port, request('GET /a?b HTTP/1.1'))))
  expect(actual).toBe(expected)
})
