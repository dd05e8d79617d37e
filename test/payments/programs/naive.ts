/*
 * node test/payments/programs/naive.ts PORT INSTANCE_PORT…: what many services do. Forwards /v1/payments to the instances in turn
 * and repeats a request that fails, three times and at once. It has no budget, no circuit breaker and no deadline. GET
 * /stats returns its attempts.
 */
import { Agent, createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { send } from '../../support/send.ts'

const RETRIES = 3

const [port, ...instances] = process.argv.slice(2).map(Number)
const agent = new Agent({ keepAlive: true })
const stats = { attempts: 0, failed: 0 }
let turn = 0

createServer(async (req, res) => {
  const { method = 'GET', url = '/' } = req
  if (url === '/ping') return void res.end()
  if (url === '/stats') return void res.end(JSON.stringify(stats))
  const body = await text(req)
  for (let retries = 0; retries <= RETRIES; retries++) {
    stats.attempts++
    const instance = instances[turn++ % instances.length]
    const response = await send({ port: instance, agent, method, path: url.replace('/v1', ''), body })
    if (response.status !== 0) return void res.writeHead(method === 'POST' ? 201 : 200).end(response.body)
    stats.failed++
  }
  return void res.writeHead(503).end()
}).listen(port, '127.0.0.1')
