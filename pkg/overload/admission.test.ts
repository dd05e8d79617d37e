import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { type AdmissionOptions, type Brownout, createAdmission } from './admission.ts'
import { findBucket, PRIORITIES, type Priority } from './priority.ts'
import { createTurnClock } from './turn-clock.ts'

const MAX_WAIT_MS = 20
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
  jest.useRealTimers()
})

/** Creates an admission whose clock moves by hand. A handler takes 3 ms. The path of a request is its priority. */
function start(options: Partial<AdmissionOptions> = {}) {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'clearImmediate', 'nextTick', 'queueMicrotask'] })
  let time = 1_000
  const served: string[] = []
  const brownouts: boolean[] = []
  const identify = jest.fn(({ headers }: IncomingMessage) => String(headers['caller']))
  const admission = createAdmission({
    handler(request, response) {
      served.push(String(request.headers['x-request-id']))
      time += 3
      response.end()
    },
    findPriority: (_method, url) => url.slice(1) as Priority,
    identify,
    requestId: ({ headers }) => String(headers['x-request-id']),
    maxWaitMs: MAX_WAIT_MS,
    onBrownout: ({ isOn }) => brownouts.push(isOn),
    clock: createTurnClock({ now: () => time, sleptMs: () => 0 }),
    random: () => 0.999,
    ...options,
  })
  stops.push(admission.stop)

  function send(priority: Priority, id: string, caller = '10.0.0.1'): ServerResponse {
    const request = new IncomingMessage(new Socket())
    Object.assign(request, { method: 'GET', url: `/${priority}`, headers: { caller, 'x-request-id': id } })
    const response = new ServerResponse(request)
    admission.admit(request, response)
    return response
  }

  return {
    ...admission,
    served,
    brownouts,
    identify,
    send,
    sendMany: (count: number, priority: Priority = 'normal', name = 'r') =>
      Array.from({ length: count }, (_, index) => send(priority, `${name}${index}`, `10.0.0.${index}`)),
    pass(ms: number) {
      time += ms
    },
    endWindow: () => void jest.advanceTimersByTime(1_000),
  }
}

const statuses = (responses: readonly ServerResponse[]) => responses.map(({ statusCode }) => statusCode)

/** Makes a window overloaded: requests wait for 30 ms on average. */
async function overload({ send, pass, endWindow }: ReturnType<typeof start>, count = 100) {
  const callers = Array.from({ length: count }, (_, index) => `10.0.0.${index}`)
  for (const caller of callers) send('normal', caller, caller)
  pass(30)
  for (let turn = 0; turn < count; turn++) await setImmediate()
  pass(1_000)
  endWindow()
  return callers
}

describe('the queue', () => {
  test('serves core before normal before background, and each priority in the order of arrival', async () => {
    const { send, served } = start()
    for (const name of ['background', 'normal', 'core', 'background', 'normal', 'core'] as const) {
      send(name, `${name}-${served.length}`)
    }
    for (let turn = 0; turn < 6; turn++) await setImmediate()
    expect(served.map((id) => id.split('-')[0])).toEqual([
      'core',
      'core',
      'normal',
      'normal',
      'background',
      'background',
    ])
  })

  test('starts handlers for 5 ms in a turn, so that a later core request overtakes other requests', async () => {
    const { send, sendMany, served } = start()
    sendMany(6)
    await setImmediate()
    expect(served).toEqual(['r0', 'r1'])
    send('core', 'core')
    await setImmediate()
    expect(served).toEqual(['r0', 'r1', 'core', 'r2'])
    await setImmediate()
    expect(served.slice(4)).toEqual(['r3', 'r4'])
  })

  test('microtasks of one handler run before the next handler', async () => {
    const order: string[] = []
    const { sendMany } = start({
      handler: () => {
        order.push('handler')
        queueMicrotask(() => order.push('microtask'))
      },
    })
    sendMany(2)
    await setImmediate()
    expect(order).toEqual(['handler', 'microtask', 'handler', 'microtask'])
  })

  test('refuses requests that have waited for 100 ms when the queue has not been empty for as long', async () => {
    const { sendMany, served, queued, refused } = start()
    const responses = sendMany(100)
    for (let turn = 0; turn < 30; turn++) await setImmediate()
    expect(queued()).toBe(0)
    const given = responses.filter(({ statusCode }) => statusCode === 503)
    expect(served.length + given.length).toBe(100)
    // 100 ms are enough for 34 handlers. The queue counts as not empty from the second turn on.
    expect(served.length).toBeGreaterThanOrEqual(34)
    expect(served.length).toBeLessThan(45)
    expect(refused().get('normal')).toEqual({ limit: 0, brownout: 0, wait: given.length })
  })

  test('refuses no queued request after a stall of the process', async () => {
    const { sendMany, pass, served, refused } = start()
    sendMany(20)
    pass(5_000)
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    expect(served).toHaveLength(20)
    expect(refused().get('normal')).toEqual({ limit: 0, brownout: 0, wait: 0 })
  })

  test('does not run the handler for a client that has disconnected', async () => {
    const { sendMany, served } = start()
    const [gone] = sendMany(2)
    gone!.destroy()
    await setImmediate()
    expect(served).toEqual(['r1'])
  })
})

describe('the limit', () => {
  test('refuses on arrival after an overloaded window, with a problem and a retry-after with jitter', async () => {
    const service = start()
    await overload(service)
    await overload(service)
    expect(service.level().limit).toBeLessThan(100)
    const responses = service.sendMany(100)
    const refused = responses.filter(({ statusCode }) => statusCode === 503)
    expect(refused.length).toBeGreaterThan(0)
    expect(service.refused().get('normal')).toMatchObject({ limit: refused.length })
    expect(service.send('core', 'core').statusCode).toBe(200)
  })

  test('refuses the retries of a refused caller, and admits the retries of an admitted caller', async () => {
    const service = start()
    await overload(service)
    const callers = await overload(service)
    const ask = () => callers.map((caller) => service.send('normal', 'retry', caller).statusCode)
    const first = ask()
    expect(new Set(first)).toEqual(new Set([200, 503]))
    for (let retry = 0; retry < 5; retry++) expect(ask()).toEqual(first)
  })

  test('does not identify callers without overload', async () => {
    const { sendMany, identify } = start()
    sendMany(2)
    await setImmediate()
    expect(identify).not.toHaveBeenCalled()
  })

  test('does not count the requests of clients that have disconnected as served', async () => {
    const service = start()
    for (const response of service.sendMany(1_000).slice(20)) response.destroy()
    service.pass(30)
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    expect(service.served).toHaveLength(20)
    // The 20 handlers have run for 60 ms.
    service.pass(910)
    service.endWindow()
    expect(service.level().limit).toBeCloseTo(0.98 * 20)
  })

  test('changes after 2,000 requests, even within a second', async () => {
    const { sendMany, pass, level } = start({ handler: (_request, response) => void response.end() })
    sendMany(1_000)
    pass(30)
    await setImmediate()
    sendMany(1_000)
    expect(level().limit).toBe(Infinity)
    sendMany(1)
    expect(level().limit).toBeLessThan(Infinity)
  })
})

describe('the brownout', () => {
  const background = PRIORITIES.length - 1

  test('an operator switches background operations off and on', () => {
    let setting: Brownout = 'auto'
    const { sendMany, endWindow, pass, brownouts, refused, averageWaitMs } = start({ brownout: () => setting })
    const ask = () => PRIORITIES.map((priority) => statuses(sendMany(1, priority))[0])
    expect(ask()).toEqual([200, 200, 200])
    setting = 'on'
    pass(1_000)
    endWindow()
    expect(ask()).toEqual([200, 200, 503])
    expect(refused().get(PRIORITIES[background]!)).toEqual({ limit: 0, brownout: 1, wait: 0 })
    setting = 'auto'
    pass(1_000)
    endWindow()
    expect(ask()).toEqual([200, 200, 200])
    expect(brownouts).toEqual([true, false])
    expect(averageWaitMs()).toBe(0)
  })

  test('begins and ends with the load, with an event for each change', async () => {
    const service = start()
    for (let second = 0; second < 6; second++) await overload(service)
    expect(service.brownouts).toEqual([true])
    expect(service.send('background', 'b').statusCode).toBe(503)
    service.pass(1_000)
    service.endWindow()
    service.pass(1_000)
    service.endWindow()
    expect(service.brownouts).toEqual([true, false])
  })

  test('never begins when an operator has forbidden it', async () => {
    const service = start({ brownout: () => 'off' })
    for (let second = 0; second < 6; second++) await overload(service)
    expect(service.brownouts).toEqual([])
  })
})

test('the bucket of a caller does not depend on the instance', () => {
  expect(findBucket('10.0.0.1', 1)).toBe(findBucket('10.0.0.1', 1))
})
