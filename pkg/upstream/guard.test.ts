import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { type BreakerState, COOL_DOWN_MS, createGuard } from './guard.ts'

let monotonic: number

/* The guard must not read Date.now(), which these tests set. */
const step = (ms: number) => void jest.spyOn(Date, 'now').mockReturnValue(Date.now() + ms)
beforeEach(() => {
  monotonic = 0
  jest.spyOn(Date, 'now').mockReturnValue(10_000_000)
})
afterEach(() => void jest.restoreAllMocks())

function wait(ms: number): void {
  monotonic += ms
  step(ms)
}
const fail = () => Promise.reject(new Error('failed'))
const succeed = async () => 'done'

function start(concurrency = 10) {
  const states: BreakerState[] = []
  const onState = (state: BreakerState) => void states.push(state)
  const guard = createGuard({ concurrency, isFailure: () => true, onState, now: () => monotonic })
  return { ...guard, states }
}

async function failTimes({ run }: Pick<ReturnType<typeof start>, 'run'>, times: number): Promise<void> {
  for (let index = 0; index < times; index++) await expect(run(fail)).rejects.toThrow('failed')
}

test('the circuit opens when more than half of at least twenty calls in ten seconds have failed', async () => {
  const guard = start()
  for (let index = 0; index < 10; index++) await guard.run(succeed)
  await failTimes(guard, 10)
  expect(guard.state()).toBe('closed')
  await failTimes(guard, 1)
  expect(guard.state()).toBe('open')
})

test('the circuit opens when more than 40 % of at least forty calls in 1.5 s have failed, whatever happened before', async () => {
  const guard = start()
  // A busy upstream without failures.
  for (let call = 0; call < 1_000; call++) {
    wait(8)
    await guard.run(succeed)
  }
  wait(1_500)
  let calls = 0
  for (; guard.state() === 'closed' && calls < 200; calls += 2) {
    wait(20)
    await guard.run(succeed)
    await guard.run(fail).catch(() => undefined)
  }
  expect(calls).toBeLessThan(150)
})

test('almost half of thirty-nine calls in 1.5 s fail and do not open the circuit, and almost half of forty do', async () => {
  const guard = start()
  for (let call = 0; call < 20; call++) await guard.run(succeed)
  await failTimes(guard, 19)
  expect(guard.state()).toBe('closed')
  await guard.run(succeed)
  await failTimes(guard, 1)
  expect(guard.state()).toBe('open')
})

test('nineteen failures do not open the circuit, and failures older than ten seconds do not count', async () => {
  const guard = start()
  await failTimes(guard, 19)
  for (let second = 0; second < 10; second++) {
    wait(1_000)
    await guard.run(succeed)
  }
  await failTimes(guard, 5)
  expect(guard.state()).toBe('closed')
})

test('failures from before a pause do not count after it', async () => {
  const guard = start()
  await failTimes(guard, 19)
  wait(3_600_000)
  await failTimes(guard, 1)
  expect(guard.state()).toBe('closed')
})

test('an open circuit rejects calls without starting them, until a probe allows one trial', async () => {
  const guard = start()
  await failTimes(guard, 20)
  const work = jest.fn(succeed)
  await expect(guard.run(work)).rejects.toMatchObject({ reason: 'breaker' })
  expect(guard.needsProbe()).toBe(false)
  wait(COOL_DOWN_MS)
  expect(guard.needsProbe()).toBe(true)
  await expect(guard.run(work)).rejects.toMatchObject({ reason: 'breaker' })
  expect(work).not.toHaveBeenCalled()

  guard.allowTrial()
  const trial = Promise.withResolvers<string>()
  const tried = guard.run(() => trial.promise)
  // Other calls do not wait for the trial.
  await expect(guard.run(work)).rejects.toMatchObject({ reason: 'breaker' })
  expect(work).not.toHaveBeenCalled()
  trial.resolve('done')
  expect(await tried).toBe('done')
  expect(await guard.run(work)).toBe('done')
  expect(guard.states).toEqual(['open', 'half-open', 'closed'])
})

test('a trial that fails opens the circuit for another cool-down', async () => {
  const guard = start()
  await failTimes(guard, 20)
  wait(COOL_DOWN_MS)
  guard.allowTrial()
  await failTimes(guard, 1)
  expect(guard.state()).toBe('open')
  expect(guard.needsProbe()).toBe(false)
  wait(COOL_DOWN_MS)
  expect(guard.needsProbe()).toBe(true)
})

test('a wall clock that steps back by an hour does not prolong the cool-down', async () => {
  const guard = start()
  await failTimes(guard, 20)
  step(-3_600_000)
  wait(COOL_DOWN_MS)
  expect(guard.needsProbe()).toBe(true)
  guard.allowTrial()
  expect(await guard.run(succeed)).toBe('done')
  expect(guard.state()).toBe('closed')
})

test('after a wall clock has stepped back by an hour, old calls do not count for an hour', async () => {
  const guard = start()
  for (let index = 0; index < 100; index++) await guard.run(succeed)
  step(-3_600_000)
  wait(10_000)
  await failTimes(guard, 20)
  expect(guard.state()).toBe('open')
})

test('an operator holds the circuit open and closes it again', async () => {
  const guard = start()
  guard.isolate(true)
  guard.isolate(true)
  expect(guard.state()).toBe('isolated')
  await expect(guard.run(succeed)).rejects.toMatchObject({ reason: 'breaker' })
  guard.isolate(false)
  expect(await guard.run(succeed)).toBe('done')
  expect(guard.states).toEqual(['isolated', 'closed'])
})

test('calls above the concurrency limit are rejected, and do not count as failures', async () => {
  const guard = start(2)
  const pending = Promise.withResolvers<string>()
  const calls = [1, 2].map(() => guard.run(() => pending.promise))
  for (let index = 0; index < 30; index++) {
    await expect(guard.run(succeed)).rejects.toMatchObject({ reason: 'concurrency' })
  }
  expect([guard.state(), guard.inProgress()]).toEqual(['closed', 2])
  pending.resolve('done')
  expect(await Promise.all(calls)).toEqual(['done', 'done'])
  expect(guard.inProgress()).toBe(0)
})

test('earlier calls that fail after a successful trial do not open the circuit again', async () => {
  const guard = start(100)
  const late = Promise.withResolvers<never>()
  const calls = Array.from({ length: 50 }, () => guard.run(() => late.promise))
  await failTimes(guard, 20)
  wait(COOL_DOWN_MS)
  guard.allowTrial()
  await guard.run(succeed)
  late.reject(new Error('timeout'))
  await Promise.allSettled(calls)
  expect(guard.states).toEqual(['open', 'half-open', 'closed'])
})

test('an earlier call that ends without a response during the trial does not open the circuit again', async () => {
  const isFailure = (error: unknown, isTrial: boolean) => isTrial || error !== 'cancelled'
  const guard = createGuard({ concurrency: 10, isFailure, onState: () => undefined, now: () => monotonic })
  const earlier = Promise.withResolvers<never>()
  const trial = Promise.withResolvers<void>()
  const ended = expect(guard.run(() => earlier.promise)).rejects.toBe('cancelled')
  for (let index = 0; index < 20; index++) await expect(guard.run(fail)).rejects.toThrow('failed')
  wait(COOL_DOWN_MS)
  guard.allowTrial()
  const tried = guard.run(() => trial.promise)
  earlier.reject('cancelled')
  await ended
  expect(guard.state()).toBe('half-open')
  trial.resolve()
  await tried
  expect(guard.state()).toBe('closed')
})
