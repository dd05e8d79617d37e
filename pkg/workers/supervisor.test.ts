import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createSupervisor, type PrimaryMessage, type SupervisorEvent, type SupervisorOptions } from './supervisor.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

const passed = (ms: number) => jest.advanceTimersByTimeAsync(ms)

/** A worker process that does only what the test says. */
class FakeWorker extends EventEmitter {
  static lastPid = 0
  readonly pid: number | undefined = ++FakeWorker.lastPid
  connected = true
  readonly orders: string[] = []
  readonly told: PrimaryMessage[] = []

  send(message: PrimaryMessage): void {
    this.told.push(message)
    if (['retire', 'stop', 'stop now'].includes(message.type)) this.orders.push(message.type)
  }

  ready(): void {
    this.emit('message', { type: 'ready' })
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.connected = false
    this.emit('exit', code, signal)
  }

  readonly kill = jest.fn((signal: NodeJS.Signals) => this.exit(null, signal))
}

function setup(options: Partial<SupervisorOptions> & { next?: () => FakeWorker } = {}) {
  const forked: FakeWorker[] = []
  const events: SupervisorEvent[] = []
  const { next = () => new FakeWorker(), ...rest } = options
  const supervisor = createSupervisor({
    count: 2,
    fork: () => {
      const worker = next()
      forked.push(worker)
      return worker
    },
    onEvent: (event) => events.push(event),
    ...rest,
  })
  const living = () => forked.filter(({ connected }) => connected)
  const types = () => events.map(({ type }) => type)
  return { supervisor, forked, living, events, types }
}

type Options = NonNullable<Parameters<typeof setup>[0]>

/** All first workers are ready. */
async function started(options: Options = {}) {
  const all = setup(options)
  const start = all.supervisor.start()
  for (const worker of all.forked) worker.ready()
  await start
  all.events.length = 0
  return all
}

const never = new AbortController().signal

test('start resolves when every worker is ready, and each has first been given what it starts with', async () => {
  const { supervisor, forked } = setup({ given: () => 'settings' })
  supervisor.publish('health')
  const start = supervisor.start()
  forked[0]?.ready()
  let settled = false
  void start.then(() => {
    settled = true
  })
  await passed(0)
  expect(settled).toBe(false)
  forked[1]?.ready()
  await start
  const told = [
    { type: 'start', given: 'settings' },
    { type: 'state', state: 'health' },
  ]
  expect(forked.map((worker) => worker.told)).toEqual([told, told])
})

test('a first worker that fails ends the start at once, and the one that hangs is killed', async () => {
  const { supervisor, forked, living } = setup()
  const start = supervisor.start()
  forked[0]?.exit(1)
  await expect(start).rejects.toThrow('worker ended with 1 before it was ready')
  expect(forked[1]?.kill).toHaveBeenCalledWith('SIGKILL')
  expect(await supervisor.stop(never)).toBe(false)
  await passed(60_000)
  expect(living()).toEqual([])
  expect(forked).toHaveLength(2)
})

test('a worker that is not ready in time is killed and counts as failed', async () => {
  const { supervisor, forked } = setup({ count: 1, readyTimeoutMs: 500 })
  const start = supervisor.start()
  const failed = expect(start).rejects.toThrow('worker not ready within 500 ms')
  await passed(500)
  await failed
  expect(forked[0]?.kill).toHaveBeenCalledTimes(1)
})

test('a worker that dies is replaced, and it is told how it died', async () => {
  const { forked, living, events } = await started()
  forked[0]?.exit(null, 'SIGKILL')
  expect(events).toEqual([{ type: 'worker died', pid: forked[0]?.pid, code: null, signal: 'SIGKILL' }])
  await passed(100)
  expect(living()).toHaveLength(2)
})

test('replacements that fail come at growing distances, until one has lived for a minute', async () => {
  const { forked, types } = await started({ count: 1 })
  forked[0]?.exit(1)
  for (const delay of [100, 200, 400]) {
    await passed(delay - 1)
    const before = forked.length
    await passed(1)
    expect(forked).toHaveLength(before + 1)
    forked.at(-1)?.exit(1)
  }
  await passed(800)
  forked.at(-1)?.ready()
  await passed(60_001)
  forked.at(-1)?.exit(1)
  const before = forked.length
  await passed(100)
  expect(forked).toHaveLength(before + 1)
  expect(types().filter((type) => type === 'worker failed to start')).toHaveLength(3)
})

test('when all die at once all come back', async () => {
  const { forked, living } = await started({ count: 3 })
  for (const worker of forked.slice()) worker.exit(1)
  await passed(100)
  expect(living()).toHaveLength(3)
})

/** As a child process does whose program is missing: an error, no process, and never an exit. */
class UnstartedWorker extends FakeWorker {
  override readonly pid = undefined
  override connected = false

  constructor() {
    super()
    process.nextTick(() => this.emit('error', new Error('spawn ENOENT')))
  }
}

const broken: readonly [string, () => FakeWorker][] = [
  ['an event', () => new UnstartedWorker()],
  [
    'an exception',
    () => {
      throw new Error('spawn ENOENT')
    },
  ],
]

test.each(broken)(
  'a program that cannot be started, by %s, is tried again while the others go on',
  async (_by, next) => {
    let missing = false
    const { forked, living, events } = await started({ next: () => (missing ? next() : new FakeWorker()) })
    missing = true
    forked[0]?.exit(1)
    await passed(100)
    expect(events.at(-1)).toMatchObject({ type: 'worker failed to start', error: { message: 'spawn ENOENT' } })
    await passed(200)
    expect(living()).toHaveLength(1)
    missing = false
    await passed(400)
    expect(living()).toHaveLength(2)
  },
)

test('an error of a worker that runs, as of a signal that was refused, ends nothing', async () => {
  const { forked, living, events } = await started()
  forked[0]?.emit('error', new Error('kill EPERM'))
  await passed(10_000)
  expect(living()).toHaveLength(2)
  expect(events).toEqual([])
})

test('a roll-out replaces one after the other, each only when its successor is ready and it has ended', async () => {
  const { supervisor, forked, living, types } = await started()
  const [first, second] = forked
  const rolled = supervisor.roll()
  await passed(0)
  expect(living()).toHaveLength(3)
  expect(first?.orders).toEqual([])
  forked[2]?.ready()
  await passed(0)
  expect(first?.orders).toEqual(['retire'])
  expect(forked).toHaveLength(3)
  first?.exit(0)
  await passed(0)
  forked[3]?.ready()
  await passed(0)
  expect(second?.orders).toEqual(['retire'])
  second?.exit(0)
  expect(await rolled).toBe(true)
  expect(living()).toEqual(forked.slice(2))
  expect(types()).toEqual(['worker ready', 'worker retired', 'worker ready', 'worker retired'])
})

test('a worker that does not end in time is killed, and the event says so', async () => {
  const { supervisor, forked, events } = await started({ count: 1, stopTimeoutMs: 500 })
  const rolled = supervisor.roll()
  forked[1]?.ready()
  await passed(499)
  expect(forked[0]?.kill).not.toHaveBeenCalled()
  await passed(1)
  expect(await rolled).toBe(true)
  expect(events.at(-1)).toEqual({ type: 'worker retired', pid: forked[0]?.pid, code: null, signal: 'SIGKILL' })
})

test('a successor that fails ends the roll-out, and the old ones go on', async () => {
  const { supervisor, forked, living } = await started()
  const rolled = supervisor.roll()
  forked[2]?.exit(78)
  await expect(rolled).rejects.toThrow('worker ended with 78 before it was ready')
  await passed(60_000)
  expect(living()).toEqual(forked.slice(0, 2))
  expect(forked).toHaveLength(3)
})

/** Answers every order and every start at once, and counts how many stay. */
async function settle(forked: readonly FakeWorker[]) {
  for (let quiet = 0; quiet < 3; quiet++) {
    await passed(10_000)
    for (const worker of forked) {
      if (!worker.connected) continue
      if (worker.orders.length > 0) worker.exit(0)
      else worker.ready()
    }
  }
}

const deaths: readonly [string, (forked: readonly FakeWorker[]) => unknown][] = [
  ['the one whose successor starts', ([first]) => first?.exit(1)],
  ['the other one', ([, second]) => second?.exit(1)],
  ['both old ones', ([first, second]) => [first?.exit(1), second?.exit(1)]],
  ['both, and the successor', (forked) => forked.map((worker) => worker.exit(1))],
  ['the other one just after the successor was ready', ([, second, third]) => [third?.ready(), second?.exit(1)]],
  ['the first one just after the successor was ready', ([first, , third]) => [third?.ready(), first?.exit(1)]],
  ['the successor after it was ready', ([, , third]) => [third?.ready(), third?.exit(1)]],
  ['the successor, and then the one it was for', ([first, , third]) => [third?.exit(1), first?.exit(1)]],
]

test.each(deaths)('the number of workers comes back when during a roll-out dies: %s', async (_who, die) => {
  const { supervisor, forked, living } = await started()
  const rolled = supervisor.roll().catch(() => 'stopped')
  await passed(0)
  die(forked)
  for (let round = 0; round < 5; round++) await settle(forked)
  expect(await rolled).not.toBe(false)
  expect(living()).toHaveLength(2)
  if ((await rolled) === true) expect(living().some((worker) => forked.indexOf(worker) < 2)).toBe(false)
})

test('a replacement that is not yet ready when a roll-out begins is replaced too, and none is left over', async () => {
  const { supervisor, forked, living } = await started()
  forked[0]?.exit(1)
  await passed(100)
  const [, second, replacement] = forked
  const rolled = supervisor.roll()
  for (let round = 0; round < 5; round++) await settle(forked)
  expect(await rolled).toBe(true)
  expect(living()).toHaveLength(2)
  expect(living()).not.toContain(second)
  expect(living()).not.toContain(replacement)
})

test('a roll-out waits for the end of a replacement that is killed because it hangs', async () => {
  const { supervisor, forked, living } = await started({ count: 1, readyTimeoutMs: 500 })
  forked[0]?.exit(1)
  await passed(100)
  const hanging = forked[1]
  hanging?.kill.mockImplementation(() => {})
  const rolled = supervisor.roll()
  await passed(500)
  expect(hanging?.kill).toHaveBeenCalledTimes(1)
  expect(forked).toHaveLength(2)
  hanging?.exit(null, 'SIGKILL')
  await passed(0)
  forked[2]?.ready()
  expect(await rolled).toBe(true)
  expect(living()).toEqual([forked[2]])
})

test('a roll-out with no worker alive starts them at once, and is done when they are ready', async () => {
  const { supervisor, forked, living } = await started()
  for (const worker of forked.slice()) worker.exit(1)
  for (let failed = 0; failed < 6; failed++) {
    await passed(10_000)
    for (const worker of living()) worker.exit(1)
  }
  const before = forked.length
  let done = false
  const rolled = supervisor.roll().then((all) => {
    done = all
  })
  await passed(0)
  expect(forked).toHaveLength(before + 1)
  forked.at(-1)?.ready()
  await passed(0)
  expect(done).toBe(false)
  forked.at(-1)?.ready()
  await rolled
  expect(done).toBe(true)
  expect(living()).toHaveLength(2)
})

test('a roll-out with no worker alive and a program that fails is none, and they are tried again', async () => {
  const { supervisor, forked, living } = await started()
  for (const worker of forked.slice()) worker.exit(1)
  const rolled = supervisor.roll()
  forked.at(-1)?.exit(1)
  await expect(rolled).rejects.toThrow('before it was ready')
  await passed(100)
  expect(living()).toHaveLength(2)
})

test('a stop while a successor starts is the only order that anybody gets', async () => {
  const { supervisor, forked } = await started()
  const rolled = supervisor.roll()
  supervisor.drain(false)
  forked[2]?.ready()
  expect(await rolled).toBe(false)
  expect(forked.map(({ orders }) => orders)).toEqual([['stop'], ['stop'], ['stop']])
  const stopped = supervisor.stop(never)
  for (const worker of forked) worker.exit(0)
  expect(await stopped).toBe(true)
  expect(forked).toHaveLength(3)
})

test('a worker that is retiring is told that the whole service ends, and is killed no later for it', async () => {
  const { supervisor, forked } = await started({ count: 1, stopTimeoutMs: 500 })
  const rolled = supervisor.roll()
  forked[1]?.ready()
  await passed(300)
  supervisor.drain(true)
  expect(forked[0]?.orders).toEqual(['retire', 'stop now'])
  await passed(200)
  expect(forked[0]?.kill).toHaveBeenCalledTimes(1)
  expect(forked[1]?.kill).not.toHaveBeenCalled()
  expect(await rolled).toBe(false)
})

test('nothing is started once all of it stops', async () => {
  const { supervisor, forked, living, types } = await started()
  forked[0]?.exit(1)
  supervisor.drain(false)
  forked[1]?.exit(1)
  expect(await supervisor.stop(never)).toBe(false)
  await passed(60_000)
  expect(living()).toEqual([])
  expect(types()).toEqual(['worker died', 'worker died'])
  expect(await supervisor.roll()).toBe(false)
  expect(jest.getTimerCount()).toBe(0)
})

test('a stop that is cut kills those that are left', async () => {
  const { supervisor, forked } = await started()
  const deadline = new AbortController()
  supervisor.drain(false)
  const stopped = supervisor.stop(deadline.signal)
  forked[0]?.exit(0)
  deadline.abort()
  expect(await stopped).toBe(false)
  expect(forked[1]?.kill).toHaveBeenCalledWith('SIGKILL')
})

test('a stop that was cut before it began kills at once, those that start too', async () => {
  const { supervisor, forked, living } = setup()
  const start = supervisor.start().catch(() => {})
  supervisor.drain(false)
  expect(await supervisor.stop(AbortSignal.abort())).toBe(false)
  await start
  expect(forked).toHaveLength(2)
  expect(living()).toEqual([])
})

test('a worker that takes no more connections is told that it may leave', async () => {
  const { forked } = await started({ count: 1 })
  forked[0]?.emit('message', { type: 'leaving' })
  expect(forked[0]?.told.at(-1)).toEqual({ type: 'may leave' })
})
