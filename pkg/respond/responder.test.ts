import { expect, test } from '@jest/globals'
import type { Alert } from './alerts.ts'
import { EMPTY_STATE, type State } from './decide.ts'
import { createResponder, type ResponderOptions } from './responder.ts'
import type { Rule } from './rules.ts'

const RULES: readonly Rule[] = [
  {
    name: 'limit',
    match: { alertname: 'Load' },
    action: { type: 'rate_limit', perMinute: 1 },
    cooldownSeconds: 60,
    recoverySeconds: 30,
  },
  { name: 'note', match: { alertname: 'Note' }, action: { type: 'notify' }, cooldownSeconds: 60, recoverySeconds: 30 },
]

const alertOf = (alertname: string, status: Alert['status'] = 'firing'): Alert => ({
  ...{ status, labels: { alertname }, annotations: { summary: 'much <b>load</b>' } },
  ...{ startsAt: '2026-01-02T03:04:05Z', fingerprint: 'a1' },
})

function start(change: Partial<ResponderOptions> = {}) {
  const world = { now: 1_000, saved: [] as State[], events: [] as string[], messages: [] as string[], results: true }
  const responder = createResponder({
    rules: [...RULES],
    maxActionsPerHour: 10,
    dryRun: false,
    isStopped: () => false,
    store: { load: () => EMPTY_STATE, save: async (state) => void world.saved.push(state) },
    act: async () => {},
    expire: async () => {},
    notify: (text) => void world.messages.push(text),
    hasResult: async () => world.results,
    now: () => world.now,
    onEvent: ({ type }) => void world.events.push(type),
    ...change,
  })
  return { world, responder }
}

test('an action succeeds when Prometheus has twice returned no result', async () => {
  const { world, responder } = start()
  await responder.receive([alertOf('Load')])
  await responder.stop()
  expect(world.saved[0]!.pending).toHaveLength(1)
  await responder.tick()
  world.results = false
  await responder.tick()
  world.results = true
  await responder.tick()
  world.results = false
  await responder.tick()
  expect(world.events).toEqual(['decided', 'acted'])
  await responder.tick()
  await responder.tick()
  expect(world.events).toEqual(['decided', 'acted', 'recovered'])
  expect(world.saved.at(-1)!.pending).toEqual([])
  expect(world.messages).toEqual([])
})

test('a query that has never had a result reports no recovery, and Alertmanager does', async () => {
  const { world, responder } = start()
  world.results = false
  await responder.receive([alertOf('Load')])
  await responder.stop()
  for (let count = 0; count < 5; count++) await responder.tick()
  expect(world.events).toEqual(['decided', 'acted'])
  await responder.receive([alertOf('Load', 'resolved')])
  expect(world.events).toEqual(['decided', 'acted', 'decided', 'recovered'])
})

test('a signal that does not recover in time escalates once, even when Prometheus is down', async () => {
  const { world, responder } = start({ hasResult: () => Promise.reject(new Error('down')) })
  await responder.receive([alertOf('Load')])
  await responder.stop()
  world.now += 29_999
  await responder.tick()
  expect(world.events).toEqual(['decided', 'acted', 'query failed'])
  world.now += 1
  await responder.tick()
  await responder.tick()
  expect(world.events).toEqual(['decided', 'acted', 'query failed', 'not recovered'])
  expect(world.messages).toEqual(['**NOT REPAIRED** Load: the signal did not recover in time\n> rule limit, target 1'])
})

test('a query that fails is reported once, while other queries succeed', async () => {
  const rule = { ...RULES[0]!, name: 'wrong', match: { alertname: 'Wrong' }, query: 'up(' }
  const reported: string[] = []
  const { responder } = start({
    rules: [...RULES, rule],
    hasResult: async (query) => {
      if (query === 'up(') throw new Error('parse error')
      return true
    },
    onEvent(event) {
      if (event.type === 'query failed') reported.push(event.pending.rule)
    },
  })
  await responder.receive([alertOf('Load'), { ...alertOf('Wrong'), fingerprint: 'b2' }])
  await responder.stop()
  for (let count = 0; count < 3; count++) await responder.tick()
  expect(reported).toEqual(['wrong'])
})

test('an action that fails escalates at once, and its signal is not followed', async () => {
  const { world, responder } = start({ act: () => Promise.reject(new Error('broken')) })
  await responder.receive([alertOf('Load')])
  await responder.stop()
  expect(world.messages).toEqual(['**NOT REPAIRED** Load: the action failed\n> rule limit, target 1'])
  world.now += 60_000
  await responder.tick()
  expect(world.events).toEqual(['decided', 'failed'])
})

test('a notification has one message for the alert and one for its end', async () => {
  const { world, responder } = start()
  await responder.receive([alertOf('Note'), alertOf('Note')])
  world.now += 3_600_000
  await responder.tick()
  await responder.receive([alertOf('Note', 'resolved'), alertOf('Note', 'resolved')])
  expect(world.messages).toEqual(['**FIRING** Note\n> much bload/b', '**RESOLVED** Note'])
})

test('an action that is in progress delays neither other alerts nor their recovery', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { world, responder } = start({ act: () => promise })
  await responder.receive([alertOf('Load')])
  await responder.tick()
  world.results = false
  for (let count = 0; count < 3; count++) await responder.tick()
  await responder.receive([alertOf('Note'), { ...alertOf('Note'), fingerprint: 'b2' }])
  expect(world.events).toEqual(['decided', 'decided', 'decided', 'acted'])
  resolve()
  await responder.stop()
  expect(world.events.at(-1)).toBe('acted')
})

test('a clock that has stepped back by an hour prolongs neither a cool-down nor a change of settings', async () => {
  const HOUR = 3_600_000
  const override = { id: 'o', setting: 'RATE_LIMIT', value: '1', until: HOUR + 60_000, seconds: 60 } as const
  const stored = { ...EMPTY_STATE, overrides: [override], cooldowns: { 'limit 1': HOUR + 60_000 } }
  const expired: number[] = []
  const expire: ResponderOptions['expire'] = async (at, { state }) => {
    if (state().overrides.some(({ until }) => until <= at)) expired.push(at)
  }
  const store = { load: () => stored, save: async () => {} }
  const { world, responder } = start({ store, expire })
  const verdict = async () => (await responder.receive([alertOf('Load')]))[0]?.verdict
  expect(await verdict()).toBe('cooling down')
  world.now += 60_000
  await responder.tick()
  expect(expired).toEqual([61_000])
  expect(await verdict()).toBe('act')
  // The second step happens while the responder runs.
  world.now -= 50_000
  await responder.tick()
  const again = { ...alertOf('Load'), startsAt: '2026-01-02T04:04:05Z' }
  world.now += 59_999
  expect(await responder.receive([again])).toMatchObject([{ verdict: 'cooling down' }])
  world.now += 1
  expect(await responder.receive([again])).toMatchObject([{ verdict: 'act' }])
})

test('when the decisions cannot be saved, no action starts, and the next delivery acts', async () => {
  let isBroken = true
  const save = () => (isBroken ? Promise.reject(new Error('disk full')) : Promise.resolve())
  const { world, responder } = start({ store: { load: () => EMPTY_STATE, save } })
  await expect(responder.receive([alertOf('Load')])).rejects.toThrow('disk full')
  expect(world.events).toEqual([])
  isBroken = false
  expect(await responder.receive([alertOf('Load')])).toMatchObject([{ verdict: 'act' }])
})

test('a dry run saves nothing and knows its cool-downs', async () => {
  const { world, responder } = start({ dryRun: true, act: () => Promise.reject(new Error('not dry')) })
  const newer = { ...alertOf('Load'), startsAt: '2026-01-02T03:05:05Z' }
  const decisions = await responder.receive([alertOf('Load'), alertOf('Load'), newer])
  expect(decisions.map(({ verdict }) => verdict)).toEqual(['dry run', 'duplicate', 'cooling down'])
  await responder.tick()
  expect(world).toMatchObject({ saved: [], messages: [], events: ['decided', 'decided', 'decided'] })
})

test('a dry run restores an earlier setting, and then still knows its own cool-downs', async () => {
  const override = { id: 'o', setting: 'RATE_LIMIT', value: '1', until: 0 } as const
  const { world, responder } = start({
    dryRun: true,
    store: {
      load: () => ({ ...EMPTY_STATE, overrides: [override] }),
      save: async (state) => void world.saved.push(state),
    },
    expire: (_now, { state, save }) => save({ ...state(), overrides: [] }),
  })
  await responder.receive([alertOf('Load')])
  await responder.tick()
  expect(world.saved).toEqual([EMPTY_STATE])
  expect(await responder.receive([alertOf('Load')])).toMatchObject([{ verdict: 'duplicate' }])
})

test('the end of an action is reported once while the state cannot be saved', async () => {
  let isFull = false
  const save = () => (isFull ? Promise.reject(new Error('disk full')) : Promise.resolve())
  const { world, responder } = start({ store: { load: () => EMPTY_STATE, save } })
  await responder.receive([alertOf('Load')])
  await responder.stop()
  isFull = true
  world.now += 30_000
  for (let count = 0; count < 3; count++) await responder.tick()
  expect(world.events).toEqual(['decided', 'acted', 'state not saved', 'not recovered'])
  expect(world.messages).toHaveLength(1)
})
