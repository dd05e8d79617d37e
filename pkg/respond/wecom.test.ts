import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, jest, test } from '@jest/globals'
import { createRobot, type RobotOptions } from './wecom.ts'

/** The body of a response. `silent`: no response. `endless`: a body that is too large. */
type Fault = { readonly errcode: number } | { readonly status: number } | 'silent' | 'endless'

const servers: ReturnType<typeof createServer>[] = []
afterEach(() => {
  jest.restoreAllMocks()
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

/** Starts a stand-in for WeCom and a robot. The stand-in first responds with each fault once. */
async function start(faults: Fault[], options: Partial<RobotOptions> = {}) {
  const attempts: string[] = []
  const delivered: string[] = []
  const lost: string[] = []
  const changed = new EventTarget()
  const server = createServer(async (request, response) => {
    const { msgtype, markdown } = (await json(request)) as { msgtype: string; markdown: { content: string } }
    attempts.push(`${request.url} ${msgtype}`)
    const fault = faults.shift()
    if (fault === 'silent') return
    if (fault === 'endless') return void response.write(' '.repeat(2 * 1024 * 1024))
    if (fault !== undefined && 'status' in fault) return void response.writeHead(fault.status).end('{"errcode":0}')
    if (fault === undefined) delivered.push(markdown.content)
    response.end(JSON.stringify(fault ?? { errcode: 0, errmsg: 'ok' }))
    changed.dispatchEvent(new Event('change'))
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const robot = createRobot({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/send?key=the-key`,
    retryMs: 1,
    limitedMs: 1,
    onLost(reason, messages) {
      lost.push(`${reason}: ${messages}`)
      changed.dispatchEvent(new Event('change'))
    },
    ...options,
  })
  async function settled(count: number) {
    while (delivered.length + lost.length < count) await once(changed, 'change')
  }
  return { robot, attempts, delivered, lost, settled }
}

test('a message is sent as markdown', async () => {
  const { robot, attempts, delivered, settled } = await start([])
  robot.send('hello')
  await settled(1)
  expect({ attempts, delivered }).toEqual({ attempts: ['/send?key=the-key markdown'], delivered: ['hello'] })
})

test.each<[string, Fault]>([
  ['the limit of the robot', { errcode: 45_009 }],
  ['a busy system', { errcode: -1 }],
  ['a status of 502', { status: 502 }],
  ['no response', 'silent'],
])('after %s the message is sent again', async (_name, fault) => {
  const { robot, attempts, delivered, settled } = await start([fault], { timeoutMs: 200 })
  robot.send('hello')
  await settled(1)
  expect(delivered).toEqual(['hello'])
  expect(attempts).toHaveLength(2)
})

test('a message is sent again after a response that is too large, without waiting for the end of the response', async () => {
  const { robot, delivered, settled } = await start(['endless'], { timeoutMs: 600_000 })
  robot.send('hello')
  await settled(1)
  expect(delivered).toEqual(['hello'])
})

test('an invalid key loses the message without another attempt, and a later message is sent', async () => {
  const { robot, attempts, delivered, lost, settled } = await start([{ errcode: 93_000 }])
  robot.send('hello')
  await settled(1)
  expect({ attempts: attempts.length, lost }).toEqual({ attempts: 1, lost: ['errcode 93000: 1'] })
  robot.send('again')
  await settled(2)
  expect(delivered).toEqual(['again'])
})

test('after the last attempt the message is lost, and the reason does not contain the key', async () => {
  const { robot, lost, settled } = await start([], { url: 'http://127.0.0.1:1/send?key=the-key', maxAttempts: 2 })
  robot.send('hello')
  await settled(1)
  expect(lost).toHaveLength(1)
  expect(lost[0]).not.toContain('the-key')
})

test('messages that arrive while another message waits are merged', async () => {
  const { robot, attempts, delivered, settled } = await start([])
  for (let index = 0; index < 30; index++) robot.send(`message ${index}`)
  await settled(2)
  expect(attempts).toHaveLength(2)
  expect(delivered).toEqual([
    'message 0',
    Array.from({ length: 29 }, (_, index) => `message ${index + 1}`).join('\n\n'),
  ])
})

test.each([
  ['', 0],
  [', when the clock steps forward', 3_600_000],
])('a robot sends its limit of messages a minute, and the next message waits%s', async (_name, stepMs) => {
  const clock = jest.spyOn(Date, 'now')
  let read = 0
  const secondRead = Promise.withResolvers<void>()
  const { robot, delivered, lost, settled } = await start([], {
    perMinute: 2,
    async fetch(url, init) {
      const response = await fetch(url, init)
      const whole = new Response(await response.text(), { status: response.status })
      read++
      if (read === 2) secondRead.resolve()
      return whole
    },
  })
  for (const [index, message] of ['a', 'b'].entries()) {
    robot.send(message)
    await settled(index + 1)
  }
  // Otherwise the stop would end the second request.
  await secondRead.promise
  clock.mockReturnValue(Date.now() + stepMs)
  robot.send('c')
  expect(delivered).toEqual(['a', 'b'])
  await robot.stop(0)
  expect({ delivered, lost }).toEqual({ delivered: ['a', 'b'], lost: ['stopped: 1'] })
})

test('messages that are lost together are reported once, with their number', async () => {
  const { robot, lost } = await start([{ errcode: 0 }, { errcode: 93_000 }, { errcode: 93_000 }])
  for (const text of ['first', 'x'.repeat(3_000), 'y'.repeat(3_000)]) robot.send(text)
  await robot.stop(10_000)
  expect(lost).toEqual(['errcode 93000: 2'])
})

test('a stop waits for the messages in the queue', async () => {
  const { robot, delivered } = await start([{ errcode: -1 }])
  robot.send('a')
  robot.send('b')
  await robot.stop(10_000)
  expect(delivered).toEqual(['a', 'b'])
})

test('a stop ends the wait for a silent WeCom', async () => {
  const { robot, lost } = await start(['silent'])
  robot.send('a')
  await robot.stop(0)
  expect(lost).toHaveLength(1)
})
