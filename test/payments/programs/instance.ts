/*
 * node test/payments/programs/instance.ts PORT DELAY_MS: an instance of the upstream `payments`. Responds to each payment after the
 * delay. GET /stats returns what it has seen, without probes.
 */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

const [port, delayMs] = process.argv.slice(2).map(Number)
const stats = { requests: 0, cancelled: 0 }

createServer(async (req, res) => {
  const send = (body: unknown) => void res.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  if (req.url === '/health/ready') return send({ status: 'ok' })
  if (req.url === '/stats') return send(stats)
  stats.requests++
  res.once('close', () => {
    if (!res.writableFinished) stats.cancelled++
  })
  await text(req).catch(() => '')
  setTimeout(() => send({ id: 'pay_1', amount: 1250, currency: 'EUR', status: 'pending' }), delayMs)
}).listen(port, '127.0.0.1')
