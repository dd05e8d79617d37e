import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createNotifier, readSystemd } from './systemd.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

test('without the variables of systemd the service gets no socket, no notifications and no watchdog', () => {
  expect(readSystemd({}, 7)).toEqual({ notify: false })
})

test('variables for this process are read', () => {
  const environment = {
    LISTEN_PID: '7',
    LISTEN_FDS: '1',
    NOTIFY_SOCKET: '/run/n',
    WATCHDOG_USEC: '30000000',
    WATCHDOG_PID: '7',
  }
  expect(readSystemd(environment, 7)).toEqual({ listenFd: 3, notify: true, watchdogMs: 30_000 })
})

test('variables for another process are ignored', () => {
  const environment = { LISTEN_PID: '6', LISTEN_FDS: '1', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '6' }
  expect(readSystemd(environment, 7)).toEqual({ notify: false })
})

test.each(['', '0', 'x'])('a watchdog period of %j microseconds is ignored', (period) => {
  expect(readSystemd({ NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: period }, 7)).toEqual({ notify: true })
})

test('more than one socket is an error', () => {
  expect(() => readSystemd({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7)).toThrow(/2 sockets/)
})

test('the notifier reports each state, and notifies the watchdog twice in its period until it is stopped', () => {
  const sent: string[] = []
  const notifier = createNotifier({
    notify: true,
    watchdogMs: 1_000,
    onError: () => {},
    run: (_file, [state = ''], done) => {
      sent.push(state)
      done(null)
    },
  })
  notifier.start()
  jest.advanceTimersByTime(1_000)
  notifier.drain()
  notifier.stop()
  jest.advanceTimersByTime(5_000)
  expect(sent).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'STOPPING=1'])
})

test('a disabled notifier runs no program, and a notification that fails is reported', () => {
  const run = jest.fn<(file: string, args: readonly string[], done: (error: Error | null) => void) => void>()
  const onError = jest.fn()
  createNotifier({ notify: false, watchdogMs: 1_000, onError, run }).start()
  jest.advanceTimersByTime(5_000)
  expect(run).not.toHaveBeenCalled()
  const error = new Error('no systemd-notify')
  createNotifier({ notify: true, onError, run: (_file, _args, done) => done(error) }).drain()
  expect(onError.mock.calls).toEqual([[error]])
})
