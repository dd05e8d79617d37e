import { describe, expect, test } from '@jest/globals'
import { type Alert, alertQuery, parseAlerts } from './alerts.ts'
import { type DecideOptions, decide, EMPTY_STATE, findTarget, limitTimes, type State } from './decide.ts'
import { parseRules, type RuleContext } from './rules.ts'

const CONTEXT: RuleContext = {
  hasSettings: true,
  hasRobot: true,
  upstreams: ['payments'],
  isFeature: (name) => name === 'docs',
}

const BREAKER = {
  name: 'errors',
  match: { alertname: 'Errors' },
  action: { type: 'open_breaker', upstream: 'payments' },
  cooldownSeconds: 300,
}
const RESTART = {
  name: 'frozen',
  match: { alertname: 'Frozen' },
  action: { type: 'restart_instance', systemd: { unit: 'app' } },
  cooldownSeconds: 60,
}
const NOTIFY = { name: 'notes', match: { alertname: 'Note' }, action: { type: 'notify' }, cooldownSeconds: 1 }

const parse = (content: unknown, context = CONTEXT) => parseRules(JSON.stringify(content), context)
const { rules } = parse({ rules: [BREAKER, RESTART, NOTIFY], maxActionsPerHour: 2 }).rules!

const alertOf = (alertname: string, change: Partial<Alert> = {}, labels: Record<string, string> = {}): Alert => ({
  status: 'firing',
  labels: { alertname, ...labels },
  annotations: {},
  startsAt: '2026-01-02T03:04:05Z',
  fingerprint: 'a1',
  ...change,
})

/** Decides about alerts in sequence. Returns the verdicts and the last state. */
function decideAll(alerts: readonly Alert[], change: Partial<DecideOptions> = {}, times: readonly number[] = []) {
  let state: State = change.state ?? EMPTY_STATE
  const verdicts = alerts.map((alert, index) => {
    const now = times[index] ?? 1_000
    const options = { alert, rules, maxActionsPerHour: 2, now, isStopped: false, dryRun: false, ...change, state }
    const result = decide(options)
    state = result.state
    return result.decision.verdict
  })
  return { verdicts, state }
}

describe('decide', () => {
  test('an alert starts the action of the first rule whose labels all match', () => {
    const { verdicts, state } = decideAll([alertOf('Errors')])
    expect(verdicts).toEqual(['act'])
    expect(state).toEqual({
      acted: { 'a1 2026-01-02T03:04:05Z': 1_000 },
      cooldowns: { 'errors payments': 301_000 },
      actions: [1_000],
      overrides: [],
      pending: [
        {
          id: 'a1 2026-01-02T03:04:05Z',
          rule: 'errors',
          alert: 'Errors',
          fingerprint: 'a1',
          target: 'payments',
          actedAt: 1_000,
          deadline: 121_000,
          query: 'ALERTS{alertname="Errors"}',
        },
      ],
    })
    expect(decideAll([alertOf('Other'), alertOf('constructor')]).verdicts).toEqual(['no rule', 'no rule'])
  })

  test('a repetition has the same fingerprint and start, and is no second action after the cool-down', () => {
    const { verdicts } = decideAll([alertOf('Errors'), alertOf('Errors')], {}, [0, 10_000_000])
    expect(verdicts).toEqual(['act', 'duplicate'])
  })

  test('a new occurrence acts only after the cool-down, and a refused occurrence acts when it is repeated', () => {
    const again = alertOf('Errors', { startsAt: '2026-01-02T03:05:00Z' })
    const { verdicts } = decideAll([alertOf('Errors'), again, again, again], {}, [0, 299_999, 300_000, 300_001])
    expect(verdicts).toEqual(['act', 'cooling down', 'act', 'duplicate'])
  })

  test('each instance has a cool-down of its own', () => {
    const frozen = (port: number) => alertOf('Frozen', { fingerprint: `b${port}` }, { instance: `10.0.0.1:${port}` })
    expect(decideAll([frozen(9465), frozen(9466)]).verdicts).toEqual(['act', 'act'])
  })

  test('the limit counts the actions of the last hour, without notifications', () => {
    const frozen = (port: number) => alertOf('Frozen', { fingerprint: `b${port}` }, { instance: `10.0.0.1:${port}` })
    const alerts = [alertOf('Note'), frozen(1), frozen(2), frozen(3), alertOf('Note', { fingerprint: 'c' }), frozen(3)]
    const { verdicts } = decideAll(alerts, {}, [0, 10, 20, 30, 2_000, 3_600_010])
    expect(verdicts).toEqual(['act', 'act', 'act', 'limit reached', 'act', 'act'])
  })

  test('the kill switch refuses an action, and a repetition acts when it is off', () => {
    const stopped = decideAll([alertOf('Errors')], { isStopped: true })
    expect(stopped).toEqual({ verdicts: ['stopped'], state: EMPTY_STATE })
    expect(decideAll([alertOf('Errors')], { state: stopped.state }).verdicts).toEqual(['act'])
  })

  test('a dry run waits for no recovery', () => {
    const { verdicts, state } = decideAll([alertOf('Errors'), alertOf('Errors')], { dryRun: true })
    expect(verdicts).toEqual(['dry run', 'duplicate'])
    expect(state.pending).toEqual([])
  })

  test('a resolved alert ends only its own occurrence', () => {
    const { state } = decideAll([alertOf('Errors')])
    const resolved = alertOf('Errors', { status: 'resolved' })
    const other = decide({
      ...{ alert: { ...resolved, startsAt: '2025-01-01T00:00:00Z' }, rules, state, now: 2_000 },
      ...{ maxActionsPerHour: 2, isStopped: false, dryRun: false },
    })
    expect(other).toEqual({ decision: { verdict: 'resolved', alert: expect.anything() }, state })
    expect(decideAll([resolved], { state }).state.pending).toEqual([])
  })

  test('a state with many occurrences forgets the oldest', () => {
    const acted = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`${index} x`, index + 1]))
    const { state } = decideAll([alertOf('Errors')], { state: { ...EMPTY_STATE, acted } }, [20_000])
    expect(Object.keys(state.acted)).toHaveLength(10_000)
    expect(state.acted).not.toHaveProperty(['0 x'])
  })

  test('a state with many notifications forgets the oldest, and keeps every repair', () => {
    const note = (index: number) => alertOf('Note', { fingerprint: `c${index}` })
    const alerts = [alertOf('Errors'), ...Array.from({ length: 1_500 }, (_, index) => note(index))]
    const times = alerts.map((_, index) => index * 1_000)
    const { state } = decideAll(alerts, {}, times)
    const kept = state.pending.map(({ fingerprint }) => fingerprint)
    expect(kept).toEqual(['a1', ...Array.from({ length: 1_000 }, (_, index) => `c${index + 500}`)])
  })
})

test('after the clock has stepped back, no time lies further in the future than its own length', () => {
  const HOUR = 3_600_000
  const { state } = decideAll([alertOf('Errors')], {}, [HOUR])
  const override = { id: 'o', setting: 'UPSTREAM_OPEN', value: 'payments' } as const
  const overrides = [
    { ...override, until: HOUR + 300_000, seconds: 300 },
    { ...override, until: 100 * HOUR },
  ]
  const before = { ...state, overrides, cooldowns: { ...state.cooldowns, 'removed payments': 100 * HOUR } }
  expect(limitTimes(before, rules, 0)).toEqual({
    ...before,
    // Otherwise these occurrences would displace every later one for ever.
    acted: { 'a1 2026-01-02T03:04:05Z': 0 },
    cooldowns: { 'errors payments': 300_000, 'removed payments': 24 * HOUR },
    actions: [0],
    overrides: [
      { ...override, until: 300_000, seconds: 300 },
      { ...override, until: 24 * HOUR },
    ],
    pending: [{ ...state.pending[0], actedAt: 0, deadline: 120_000 }],
  })
  expect(limitTimes(state, rules, HOUR)).toEqual(state)
  expect(limitTimes(state, rules, 2 * HOUR)).toEqual(state)
})

describe('targets', () => {
  const systemd = { type: 'restart_instance', systemd: { unit: 'app' } } as const
  const kubectl = { type: 'restart_instance', kubectl: { namespace: 'default' } } as const
  test.each([
    [systemd, { instance: '10.0.0.1:9465' }, 'app@9465'],
    [systemd, { instance: '[::1]:9465' }, 'app@9465'],
    [systemd, { instance: '10.0.0.1' }, undefined],
    [systemd, {}, undefined],
    [systemd, { instance: '10.0.0.1:65535' }, 'app@65535'],
    [systemd, { instance: '10.0.0.1:65536' }, undefined],
    [systemd, { instance: '10.0.0.1:0' }, undefined],
    [systemd, { instance: '10.0.0.1:09465' }, undefined],
    [systemd, { instance: '$(rm):9465' }, undefined],
    [systemd, { instance: '10.0.0.1:9465\n' }, undefined],
    [systemd, { instance: `${'x'.repeat(100_000)}:1` }, undefined],
    [kubectl, { pod: 'orders-6d4cf56db6-abcde' }, 'orders-6d4cf56db6-abcde'],
    [kubectl, { pod: '--all' }, undefined],
    [kubectl, { pod: 'a b' }, undefined],
    [kubectl, { pod: 'a\n--all' }, undefined],
    [kubectl, { pod: 'a'.repeat(300) }, undefined],
  ])('%j with %j restarts %s', (action, labels, target) => {
    expect(findTarget(action, labels)).toBe(target)
  })
})

describe('webhooks', () => {
  const body = { version: '4', alerts: [alertOf('Errors')] }
  test.each([
    ['', undefined],
    ['[]', undefined],
    ['{"version":"4"}', undefined],
    [JSON.stringify({ ...body, version: '3' }), undefined],
    [JSON.stringify({ ...body, alerts: [alertOf('x', { fingerprint: '__proto__' })] }), undefined],
    [JSON.stringify({ ...body, alerts: [alertOf('x', { startsAt: 'now' })] }), undefined],
    [JSON.stringify(body), [alertOf('Errors')]],
  ])('%s', (text, alerts) => {
    expect(parseAlerts(text)).toEqual(alerts)
  })

  test('the query of an alert quotes each label, and omits long labels', () => {
    expect(alertQuery({ alertname: 'a"} or vector(1) #', path: 'a\\b\n', long: 'x'.repeat(201), 'no-name': '' })).toBe(
      String.raw`ALERTS{alertname="a\"} or vector(1) #",path="a\\b\n"}`,
    )
  })
})

describe('rules', () => {
  test('the defaults are six actions an hour and two minutes for the recovery', () => {
    expect(parse({ rules: [BREAKER] })).toEqual({
      rules: { maxActionsPerHour: 6, rules: [{ ...BREAKER, recoverySeconds: 120 }] },
      problems: [],
    })
  })

  test('all problems of a file are reported together', () => {
    const { rules, problems } = parse({
      maxActionsPerHour: 0,
      extra: 1,
      rules: [
        { ...BREAKER, name: 'A', match: {} },
        { ...BREAKER, action: { type: 'shell', command: 'rm' } },
        { ...BREAKER, action: { type: 'scale', by: 2, max: 4, kubectl: { namespace: '-n', deployment: 'a;b' } } },
        { ...BREAKER, action: { type: 'scale', by: 2, max: 4 } },
        { ...BREAKER, cooldownSeconds: 1.5 },
      ],
    })
    expect(rules).toBeUndefined()
    expect(problems.map((problem) => problem.split(':', 1)[0])).toEqual([
      'maxActionsPerHour',
      'rules[0].name',
      'rules[0].match',
      'rules[1].action.type',
      'rules[2].action.kubectl.namespace',
      'rules[2].action.kubectl.deployment',
      'rules[3].action',
      'rules[4].cooldownSeconds',
      'Unrecognized key',
    ])
  })

  test('names of rules are unique, and text that is not JSON is one problem', () => {
    expect(parse({ rules: [BREAKER, BREAKER] }).problems).toEqual(['rules: expected each name once'])
    expect(parseRules('{', CONTEXT)).toEqual({ problems: ['expected a JSON file'] })
  })

  test('a rule whose setting the service would reject is a problem', () => {
    const actions = [
      { type: 'open_breaker', upstream: 'orders' },
      { type: 'feature_off', feature: 'none' },
      { type: 'rate_limit', perMinute: 10 },
      { type: 'notify' },
    ]
    const content = { rules: actions.map((action, index) => ({ ...BREAKER, name: `r${index}`, action })) }
    expect(parse(content, { ...CONTEXT, hasSettings: false, hasRobot: false }).problems).toEqual([
      'rule r0: open_breaker needs SETTINGS_FILE',
      'rule r0: orders is not in UPSTREAMS (payments)',
      'rule r1: feature_off needs SETTINGS_FILE',
      'rule r1: there is no feature none',
      'rule r2: rate_limit needs SETTINGS_FILE',
      'rule r3: notify needs RESPONDER_WECOM_URL',
    ])
  })
})
