import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { createHttpDrain } from './http-drain.ts'

const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'

test('the pauses for pipelined requests do not read the body of a request that waits', async () => {
  const uploads: IncomingMessage[] = []
  const server = createServer((req, res) => {
    if (req.method === 'POST') uploads.push(req)
    drain.track(req, res, () => {})
  })
  const drain = createHttpDrain({ server })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  /** Sends the text on a new connection. Resolves with both sides when the first request has arrived. */
  async function send(text: string): Promise<{ readonly client: Socket; readonly serverSide: Socket }> {
    const accepted = once(server, 'connection')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    const [serverSide] = await accepted
    client.write(text)
    await once(server, 'request')
    return { client, serverSide }
  }

  const upload = await send(`${GET}POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n`)
  const isFull = once(upload.serverSide, 'pause')
  upload.client.write(Buffer.alloc(50_000_000))
  await isFull
  const idle = await send(GET)
  for (let connection = 0; connection < 20; connection++) await send(GET.repeat(51))
  const inMemory = uploads[0]?.readableLength
  for (let pause = 0; pause < 20; pause++) {
    const resumed = once(idle.serverSide, 'resume')
    await send(GET.repeat(2))
    await resumed
  }
  const afterwards = uploads[0]?.readableLength
  server.close()
  server.closeAllConnections()
  expect(afterwards).toBe(inMemory)
})
