// The upper limit for Node: node:http, named statements on two pipelined connections, and an access log.
const { createServer } = require('node:http')
const pg = require('pg')
const { createAccessLog } = require('../peers/support/access-log.cjs')
const { requestId } = require('../peers/support/duties.cjs')
const { CONNECTION, formatNote, formatPage, parseVersion, SQL, UUID } = require('./notes.cjs')

const log = createAccessLog()
const clients = [0, 1].map(() => new pg.Client({ ...CONNECTION, pipeline: true }))
let turn = 0

async function run(name, values) {
  turn = 1 - turn
  const { rows } = await clients[turn].query({ name, text: SQL[name], values })
  return rows
}

function readBody(request) {
  return new Promise((resolve) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    request.once('end', () => resolve(JSON.parse(text)))
  })
}

async function respond(request) {
  const { method } = request
  const [path, query] = request.url.split('?')
  if (path === '/ping') return [200, { message: 'pong' }]
  if (path === '/v1/notes' && method === 'GET') {
    const limit = Number(new URLSearchParams(query).get('limit'))
    return [200, formatPage(await run('list', [limit + 1]), limit)]
  }
  if (path === '/v1/notes') {
    const { title, text = '' } = await readBody(request)
    return [201, formatNote((await run('create', [title, text]))[0])]
  }
  const id = path.slice('/v1/notes/'.length)
  if (!UUID.test(id)) return [404, {}]
  if (method === 'GET') {
    const [row] = await run('read', [id])
    return row ? [200, formatNote(row)] : [404, {}]
  }
  const { text } = await readBody(request)
  const [row] = await run('update', [text, id, parseVersion(request.headers['if-match'])])
  return row ? [200, formatNote(row)] : [412, {}]
}

const server = createServer((request, response) => {
  const startedAt = performance.now()
  const id = requestId(request)
  const address = request.socket.remoteAddress
  respond(request).then(
    ([status, value]) => {
      const body = JSON.stringify(value)
      const bytes = Buffer.byteLength(body)
      response.once('close', () => log(id, request, response, bytes, startedAt, address))
      response.writeHead(status, ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', bytes]).end(body)
    },
    (error) => {
      console.error(error)
      response.writeHead(500).end()
    },
  )
})
server.keepAliveTimeout = 75_000
Promise.all(clients.map((client) => client.connect())).then(() => server.listen(process.env.PORT, process.env.HOST))
