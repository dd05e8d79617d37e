import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, resolve } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { findLines, killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { reportModules } from './support/loaded-modules.ts'
import { until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

const SECRET = 'secret-of-the-test-0123456789abcdef'
const KUBECTL = `#!/bin/sh
printf '%s\\n' "$@" >>"$0.argv"
env >"$0.env"
case $1 in get) echo 3 ;; *) exit "$(cat "$0.code")" ;; esac
`

const robots: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await killApps()
  for (const robot of robots.splice(0)) await robot.stop()
})

const rule = (name: string, action: object, change: object = {}) => ({
  ...{ name, match: { alertname: name }, action, cooldownSeconds: 300 },
  ...change,
})
const RULES = [
  rule('breaker', { type: 'open_breaker', upstream: 'payments' }),
  rule('short', { type: 'open_breaker', upstream: 'payments' }, { cooldownSeconds: 1, recoverySeconds: 1 }),
  rule('feature', { type: 'feature_off', feature: 'docs' }),
  rule('limit', { type: 'rate_limit', perMinute: 60 }),
  rule('scale', { type: 'scale', by: 2, max: 4, kubectl: { namespace: 'default', deployment: 'orders' } }),
  rule('restart', { type: 'restart_instance', kubectl: { namespace: 'default' } }),
]

/** Creates the files of a responder, with a stand-in for kubectl. */
function prepare(settings: object = { LOG_LEVEL: 'debug' }) {
  const directory = temporaryDirectory('respond')
  const path = (name: string) => join(directory, name)
  writeFileSync(path('rules.json'), JSON.stringify({ rules: RULES }))
  writeFileSync(path('settings.json'), JSON.stringify(settings))
  writeFileSync(path('kubectl'), KUBECTL)
  writeFileSync(path('kubectl.code'), '0')
  chmodSync(path('kubectl'), 0o755)
  const env = {
    RESPONDER_PORT: '0',
    RESPONDER_RULES: path('rules.json'),
    RESPONDER_STATE: path('state.json'),
    RESPONDER_SECRET: SECRET,
    RESPONDER_DRY_RUN: 'false',
    SETTINGS_FILE: path('settings.json'),
    UPSTREAMS: 'payments=http://127.0.0.1:1',
    PATH: `${directory}:${process.env['PATH']}`,
  }
  return {
    path,
    env,
    start: (change: Readonly<Record<string, string>> = {}) =>
      startApp({ program: [resolve('dist/app'), 'respond'], env: { ...env, ...change } }),
    settings: () => JSON.parse(readFileSync(path('settings.json'), 'utf8')) as Record<string, unknown>,
    argv: () => (existsSync(path('kubectl.argv')) ? readFileSync(path('kubectl.argv'), 'utf8').split('\n') : []),
  }
}

const alertOf = (alertname: string, change: object = {}, labels: object = {}) => ({
  ...{ status: 'firing', labels: { alertname, ...labels }, annotations: {} },
  ...{ startsAt: '2026-01-02T03:04:05Z', fingerprint: 'a1', ...change },
})

async function post(app: Pick<RunningApp, 'url'>, body: unknown, authorization = `Bearer ${SECRET}`) {
  const response = await fetch(`${app.url}/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: typeof body === 'string' ? body : JSON.stringify({ version: '4', alerts: body }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function verdicts(app: Pick<RunningApp, 'url'>, ...alerts: readonly object[]) {
  const { status, body } = await post(app, alerts)
  expect(status).toBe(200)
  return (body['decisions'] as { verdict: string }[]).map(({ verdict }) => verdict)
}

/** Lets the responder perform the action of the rule, and then kills the responder. */
async function performAndKill(app: RunningApp, rule: string): Promise<void> {
  await verdicts(app, alertOf(rule))
  await app.line({ message: 'action performed' })
  app.signal('SIGKILL')
  await app.ended
}

async function startRobot(handle: (content: string) => object | undefined) {
  const contents: string[] = []
  const server = createServer(async (request, response) => {
    const { markdown } = (await json(request)) as { markdown: { content: string } }
    contents.push(markdown.content)
    const body = handle(markdown.content)
    if (body) response.end(JSON.stringify(body))
  })
  const { url, stop } = await listen(server)
  robots.push({ stop })
  return { RESPONDER_WECOM_URL: `${url}/cgi-bin/webhook/send?key=k`, contents }
}

test('only a webhook of Alertmanager with the bearer token is accepted', async () => {
  const { start } = prepare()
  const app = await start()
  for (const authorization of ['', 'Bearer wrong', SECRET]) {
    expect(await post(app, [], authorization)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  }
  for (const body of ['', '{', '{"version":"4"}', 'null']) {
    expect(await post(app, body)).toMatchObject({ status: 400, body: { code: 'unknown_payload' } })
  }
  expect(await post(app, 'x'.repeat(1024 * 1024 + 1))).toMatchObject({ status: 413 })
  const get = await fetch(`${app.url}/alerts`)
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
  expect((await fetch(`${app.url}/other`)).headers.get('content-type')).toContain('application/problem+json')
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

test('settings change together, and a restart in the cool-down acts on no repetition', async () => {
  const { start, settings, path } = prepare({ LOG_LEVEL: 'debug' })
  let app = await start()
  expect(await verdicts(app, ...['breaker', 'feature', 'limit'].map((name) => alertOf(name, {}, {})))).toEqual([
    'act',
    // The fingerprint is the same, so these are repetitions.
    'duplicate',
    'duplicate',
  ])
  expect(await verdicts(app, alertOf('feature', { fingerprint: 'f' }), alertOf('limit', { fingerprint: 'c' }))).toEqual(
    ['act', 'act'],
  )
  await until(() => findLines(app, 'action performed').length === 3)
  const changed = { LOG_LEVEL: 'debug', UPSTREAM_OPEN: 'payments', FEATURES: 'none', RATE_LIMIT: 60 }
  expect(settings()).toEqual(changed)
  expect(await app.line({ message: 'action started', 'App.respond.rule': 'breaker' })).toMatchObject({
    'App.respond.verdict': 'act',
    'App.respond.action': 'open_breaker',
    'App.respond.target': 'payments',
    'App.respond.alert': 'breaker',
    'App.respond.fingerprint': 'a1',
  })
  app.signal('SIGKILL')
  await app.ended
  app = await start()
  const newer = { startsAt: '2026-01-02T03:14:05Z' }
  expect(await verdicts(app, alertOf('breaker'), alertOf('breaker', newer))).toEqual(['duplicate', 'cooling down'])
  expect(settings()).toEqual(changed)
  expect(readFileSync(path('state.json'), 'utf8')).not.toContain(SECRET)
})

test('a change ends after its cool-down, also when the responder was killed, and an unrecovered signal escalates', async () => {
  const { start, settings, env } = prepare()
  const robot = await startRobot(() => ({ errcode: 0 }))
  let app = await start()
  await performAndKill(app, 'short')
  expect(settings()).toEqual({ LOG_LEVEL: 'debug', UPSTREAM_OPEN: 'payments' })
  app = await start({ RESPONDER_WECOM_URL: robot.RESPONDER_WECOM_URL })
  await app.line({ message: 'setting restored', 'App.respond.target': 'payments' })
  expect(settings()).toEqual({ LOG_LEVEL: 'debug' })
  await app.line({ message: 'signal not recovered', 'App.respond.rule': 'short' })
  await until(() => robot.contents.length === 1)
  expect(robot.contents[0]).toMatch(/^\*\*NOT REPAIRED\*\* short: the signal did not recover in time/)
  // The file of the service is complete JSON, so the service starts with it.
  expect(await runApp(['config'], { env })).toMatchObject({ code: 0 })
})

test('people get a message about a change that cannot be undone, and the responder undoes it later', async () => {
  const { start, settings, path } = prepare()
  const robot = await startRobot(() => ({ errcode: 0 }))
  let app = await start()
  await performAndKill(app, 'feature')
  const changed = readFileSync(path('settings.json'))
  writeFileSync(path('settings.json'), '{')
  const state = readFileSync(path('state.json'), 'utf8')
  writeFileSync(path('state.json'), state.replace(/"until":\d+/, '"until":0'))
  app = await start({ RESPONDER_WECOM_URL: robot.RESPONDER_WECOM_URL })
  await until(() => robot.contents.length === 1)
  expect(robot.contents).toEqual(['**NOT RESTORED** FEATURES: undo the change of docs by hand'])
  writeFileSync(path('settings.json'), changed)
  await app.line({ message: 'setting restored' })
  expect(settings()).toEqual({ LOG_LEVEL: 'debug' })
})

test('a resolved alert ends the action as a success', async () => {
  const { start } = prepare()
  const app = await start()
  await verdicts(app, alertOf('breaker'))
  await app.line({ message: 'action performed' })
  expect(await verdicts(app, alertOf('breaker', { status: 'resolved' }))).toEqual(['resolved'])
  expect(await app.line({ message: 'signal recovered' })).toMatchObject({ 'App.respond.rule': 'breaker' })
})

test('the kill switch refuses actions until its file is removed', async () => {
  const { start, settings, path } = prepare()
  const app = await start()
  writeFileSync(path('state.json.stop'), '')
  expect(await verdicts(app, alertOf('breaker'))).toEqual(['stopped'])
  await app.line({ message: 'action refused by the kill switch' })
  expect(settings()).toEqual({ LOG_LEVEL: 'debug' })
  rmSync(path('state.json.stop'))
  expect(await verdicts(app, alertOf('breaker'))).toEqual(['act'])
})

test('a dry run is the default, and changes nothing', async () => {
  const { start, settings, path, argv } = prepare()
  const robot = await startRobot(() => ({ errcode: 0 }))
  const app = await start({ RESPONDER_DRY_RUN: '', RESPONDER_WECOM_URL: robot.RESPONDER_WECOM_URL })
  expect(await app.line({ message: 'rules loaded' })).toMatchObject({ 'App.respond.dry_run': true })
  const alerts = ['breaker', 'scale'].map((name, index) => alertOf(name, { fingerprint: `a${index}` }))
  expect(await verdicts(app, ...alerts)).toEqual(['dry run', 'dry run'])
  expect(await verdicts(app, ...alerts)).toEqual(['duplicate', 'duplicate'])
  await app.line({ message: 'action not started in a dry run', 'App.respond.rule': 'scale' })
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 0, signal: null })
  expect({ settings: settings(), argv: argv(), contents: robot.contents }).toEqual({
    settings: { LOG_LEVEL: 'debug' },
    argv: [],
    contents: [],
  })
  expect(existsSync(path('state.json'))).toBe(false)
})

test('scale adds replicas up to the maximum without a shell, and the command gets no secret', async () => {
  const { start, argv, path } = prepare()
  const app = await start()
  await verdicts(app, alertOf('scale'))
  await app.line({ message: 'action performed', 'App.respond.target': 'default/orders' })
  const where = ['--namespace', 'default', 'deployment/orders']
  expect(argv()).toEqual([
    ...['get', ...where, '--output=jsonpath={.spec.replicas}'],
    ...['scale', ...where, '--current-replicas=3', '--replicas=4', ''],
  ])
  expect(readFileSync(path('kubectl.env'), 'utf8')).not.toContain(SECRET)
})

test('a command that fails escalates, and is not repeated', async () => {
  const { start, path } = prepare()
  writeFileSync(path('kubectl.code'), '1')
  const robot = await startRobot(() => ({ errcode: 0 }))
  const app = await start({ RESPONDER_WECOM_URL: robot.RESPONDER_WECOM_URL })
  await verdicts(app, alertOf('scale'))
  expect(await app.line({ message: 'action failed' })).toMatchObject({
    'error.message': expect.stringContaining('kubectl failed'),
  })
  await until(() => robot.contents.length === 1)
  expect(robot.contents[0]).toMatch(/^\*\*NOT REPAIRED\*\* scale: the action failed/)
  expect(await verdicts(app, alertOf('scale'))).toEqual(['duplicate'])
})

test('hostile labels reach no command, and the log lines stay short', async () => {
  const { start, argv } = prepare()
  const app = await start()
  const hostile = ['$(rm -rf /)', '--all', 'a\n--all', 'x'.repeat(100_000), '../x']
  const alerts = hostile.map((pod, index) => alertOf('restart', { fingerprint: `b${index}` }, { pod, [pod]: pod }))
  expect(await verdicts(app, ...alerts)).toEqual(hostile.map(() => 'invalid target'))
  const names = hostile.map((name, index) => alertOf(name, { fingerprint: `c${index}` }, { ['__proto__']: name }))
  expect(await verdicts(app, ...names)).toEqual(hostile.map(() => 'no rule'))
  expect(argv()).toEqual([])
  expect(await verdicts(app, alertOf('restart', {}, { pod: 'orders-1', x: '$(rm)\n' }))).toEqual(['act'])
  await app.line({ message: 'action performed' })
  expect(argv()).toEqual(['delete', 'pod', '--wait=false', '--namespace', 'default', 'orders-1', ''])
})

test.each([
  ['refuses the key', () => ({ errcode: 93_000 }), 'errcode 93000'],
  ['does not respond', () => undefined, 'stopped'],
  ['has reached its limit', () => ({ errcode: 45_009 }), 'stopped'],
])('while WeCom %s, alerts are handled, and the stop is clean', async (_name, handle, reason) => {
  const { start, path } = prepare()
  writeFileSync(path('kubectl.code'), '1')
  const robot = await startRobot(handle)
  const app = await start({ RESPONDER_WECOM_URL: robot.RESPONDER_WECOM_URL })
  await verdicts(app, alertOf('scale'))
  await until(() => robot.contents.length === 1)
  expect(await verdicts(app, alertOf('breaker', { fingerprint: 'b' }))).toEqual(['act'])
  await app.line({ message: 'action performed' })
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 0, signal: null })
  const [lost] = findLines(app, 'messages to WeCom lost')
  expect(lost).toMatchObject({ 'App.respond.messages': 1 })
  expect(['TimeoutError', 'AbortError', reason]).toContain(lost!['event.reason'])
})

test('a state that cannot be saved starts no action, and Alertmanager may retry', async () => {
  const { start, settings, env, path } = prepare()
  const app = await start({ RESPONDER_STATE: path('missing/state.json') })
  expect(await post(app, [alertOf('breaker')])).toMatchObject({ status: 503, body: { code: 'state_not_saved' } })
  await app.line({ message: 'state not saved' })
  expect(settings()).toEqual({ LOG_LEVEL: 'debug' })
  writeFileSync(path('state.json'), '{"version":1}')
  const { code, stdout } = await runApp(['respond'], { env })
  expect(code).toBe(1)
  expect(stdout).toContain('is not a state of the responder')
})

test('all problems of the variables and the rules are reported together, without a secret, with code 78', async () => {
  const { env, path } = prepare()
  writeFileSync(
    path('rules.json'),
    JSON.stringify({
      rules: [
        { ...RULES[0], match: {} },
        { ...RULES[4], name: 'A' },
      ],
    }),
  )
  const { RESPONDER_STATE: _, ...rest } = env
  const { code, stdout, stderr } = await runApp(['respond'], {
    env: { ...rest, RESPONDER_SECRET: 'hunter2', RESPONDER_PORT: 'x', RESPONDER_WECOM_URL: 'ftp://hunter2' },
  })
  expect({ code, stdout }).toEqual({ code: 78, stdout: '' })
  expect(stderr).toMatch(/^invalid configuration, 6 problems:\n/)
  expect(stderr).not.toContain('hunter2')
  for (const name of ['STATE', 'SECRET', 'PORT', 'WECOM_URL']) expect(stderr).toContain(`  RESPONDER_${name}: got `)
  expect(stderr).toContain('  RESPONDER_RULES: rules[0].match: expected at least one label')
  expect(stderr).toContain('  RESPONDER_RULES: rules[1].name: expected lower-case letters, digits and hyphens')
  const misplaced = 'https://app:hunter2@host/'
  const wrong = { ...rest, RESPONDER_RULES: misplaced, RESPONDER_STATE: misplaced, RESPONDER_WECOM_URL: misplaced }
  const second = await runApp(['respond'], { env: wrong })
  expect(second.stderr).toMatch(/^invalid configuration, 3 problems:\n/)
  expect(second.stderr).not.toContain('hunter2')
  const { stdout: config } = await runApp(['config'], {
    env: { RESPONDER_WECOM_URL: 'https://wecom.example/send?key=hunter2', RESPONDER_SECRET: SECRET },
  })
  expect(config).toContain('https://wecom.example/send?***')
  expect(config).not.toMatch(/hunter2|secret-of-the-test/)
})

test('the service loads no code of the responder, and the responder loads no Express', async () => {
  const { program, list } = reportModules(
    'pkg/respond/|internal/(?:telemetry/)?respond|config/responder[.]ts|node_modules/express/',
  )
  const service = await startApp({ program })
  expect(list(service).filter((path) => path.includes('respond'))).toEqual([])
  const { env } = prepare()
  const responder = await startApp({ program: [...program, 'respond'], env })
  expect(list(responder)).toContain('pkg/respond/responder.ts')
  expect(list(responder).join()).not.toContain('express')
})
