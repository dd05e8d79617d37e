import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { createTurnClock } from './turn-clock.ts'

function startClock() {
  let [time, sleptMs] = [1_000, 500]
  let nextTurn = () => {}
  const clock = createTurnClock({
    now: () => time,
    sleptMs: () => sleptMs,
    eachTurn: (callback) => {
      nextTurn = callback
    },
  })
  return {
    ...clock,
    nextTurn: () => nextTurn(),
    work(ms: number) {
      time += ms
    },
    sleep(ms: number) {
      time += ms
      sleptMs += ms
    },
  }
}

test('requests that are read after a long turn count as arrived at its start', () => {
  const { nextTurn, work, arrivedAt } = startClock()
  nextTurn()
  work(80)
  expect(arrivedAt()).toBe(1_000)
})

test('the time in which the loop slept does not count as a wait', () => {
  const { nextTurn, work, sleep, arrivedAt } = startClock()
  nextTurn()
  work(5)
  sleep(400)
  work(2)
  expect(arrivedAt()).toBe(1_400)
})

test('reading a pipelined request does not make the requests after a sleep older', () => {
  const { nextTurn, work, sleep, arrivedAt } = startClock()
  nextTurn()
  work(5)
  expect(arrivedAt()).toBe(1_000)
  sleep(400)
  expect(arrivedAt()).toBe(1_400)
})

test('all requests of a turn have the same time, and requests of the next turn have a later time', () => {
  const { nextTurn, work, arrivedAt, turn } = startClock()
  nextTurn()
  work(10)
  const first = arrivedAt()
  work(10)
  expect(arrivedAt()).toBe(first)
  nextTurn()
  expect(arrivedAt()).toBe(1_020)
  expect(turn()).toBe(2)
})

test('the default clock counts the turns of the event loop', async () => {
  const clock = createTurnClock()
  await setImmediate()
  const turns = clock.turn()
  await setImmediate()
  expect(clock.turn()).toBe(turns + 1)
})

test('the default clock does not keep the event loop awake', () => {
  // In a process of its own, because other tests may keep the loop of this process awake. On a busy machine, a timer may
  // be due before the loop sleeps.
  const script = `
    import { setTimeout } from 'node:timers/promises'
    import { createTurnClock } from ${JSON.stringify(join(import.meta.dirname, 'turn-clock.ts'))}
    const clock = createTurnClock()
    const sleptMs = clock.sleptMs()
    do await setTimeout(20)
    while (clock.sleptMs() === sleptMs)
    process.stdout.write(String(clock.turn()))`
  const turns = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  expect(Number(turns)).toBeGreaterThan(0)
  expect(Number(turns)).toBeLessThan(100)
})

test('bytes that arrive while a handler blocks the loop count from the start of the handler', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'turn-clock-'))
  const server = createServer().listen(join(directory, 'socket'))
  await once(server, 'listening')
  const client = connect(join(directory, 'socket'))
  const [socket] = await once(server, 'connection')
  const clock = createTurnClock()
  await setImmediate()
  const from = clock.now()
  // A write to a Unix socket arrives at once.
  client.write('x')
  for (const end = from + 50; clock.now() < end; );
  await once(socket, 'data')
  const arrivedAt = clock.arrivedAt()
  client.destroy()
  server.close()
  rmSync(directory, { recursive: true })
  expect(arrivedAt).toBeLessThanOrEqual(from)
})
