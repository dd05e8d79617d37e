/*
 * node test/payments/programs/naive.ts PORT INSTANCE_PORT…: what many services do. Forwards /v1/payments to the instances in turn
 * and repeats a request that fails, three times and at once. It has no budget, no circuit breaker and no deadline. GET
 * /stats returns its attempts.
 */
import { Agent, createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'

const RETRIES = 3

const [port, ...instances] = process.argv.slice(2).map(Number)
const agent = new Agent({ keepAlive: true })
const stats = { attempts: 0, failed: 0 }
let turn = 0

function attempt(method: string, path: string, body: string): Promise<string> {
  stats.attempts++
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const instance = instances[turn++ % instances.length]
  request({ host: '127.0.0.1', port: instance, agent, method, path }, (res) => void text(res).then(resolve, reject))
    .on('error', (error) => {
      stats.failed++
      reject(error)
    })
    .end(body)
  return promise
}

createServer(async (req, res) => {
  const { method = 'GET', url = '/' } = req
  if (url === '/ping') return void res.end()
  if (url === '/stats') return void res.end(JSON.stringify(stats))
  const body = await text(req)
  for (let retries = 0; ; retries++) {
    try {
      const response = await attempt(method, url.replace('/v1', ''), body)
      return void res.writeHead(method === 'POST' ? 201 : 200).end(response)
    } catch {
      if (retries === RETRIES) return void res.writeHead(503).end()
    }
  }
}).listen(port, '127.0.0.1')
