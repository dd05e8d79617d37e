import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { buildNewerAlertmanager, startAlertmanager } from '../../test/support/deploy/alertmanager.ts'
import { SECRET, startWecom } from '../../test/support/deploy/wecom.ts'
import { run } from '../../test/support/run.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'

interface Status {
  readonly versionInfo: { readonly version: string }
}

const folder = import.meta.dirname
const file = join(folder, 'alertmanager.yml')

beforeAll(() => needTools(['prometheus-alertmanager', 'amtool'], 'prometheus-alertmanager'), 300_000)

test('amtool accepts the file, and critical alerts go to the people on call and warnings to the team', async () => {
  expect(await run('amtool', ['check-config', file])).toMatchObject({ code: 0 })
  const route = (severity: string) =>
    run('amtool', ['config', 'routes', 'test', `--config.file=${file}`, `severity=${severity}`])
  expect((await route('critical')).stdout.trim()).toBe('on-call')
  expect((await route('warning')).stdout.trim()).toBe('team')
})

test('the commands of README.md install the secret for the group of Alertmanager, over a file that everyone reads', async () => {
  const directory = temporaryDirectory('install')
  const installed = join(directory, 'alertmanager.yml')
  for (const name of ['alertmanager.yml', 'wecom-secret'])
    writeFileSync(join(directory, name), 'before', { mode: 0o644 })
  const [, commands = ''] = /^```sh\n([\s\S]*?)^```/m.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? []
  const here = commands
    .replaceAll('/etc/prometheus', directory)
    .replace('wecom-secret', join(directory, 'wecom-secret'))
    .replace('-g prometheus', `-g ${process.getgid!()}`)
  expect(await run('bash', ['-euc', `umask 077\n${here}`], { cwd: folder })).toMatchObject({ code: 0 })
  expect(statSync(installed).mode & 0o777).toBe(0o640)
  expect(statSync(join(directory, 'wecom.tmpl')).mode & 0o777).toBe(0o644)
  expect(parse(readFileSync(installed, 'utf8')).global.wechat_api_secret).toBe('before')
})

test.each([
  [{ runbook_url: 'https://git.example.com/runbook' }, '\n[What to do](https://git.example.com/runbook)'],
  // The alerts for the responder have no section in the runbook.
  [{}, ''],
])('a message about an alert with %j ends with %j', async (links, end) => {
  const annotations = { summary: 'the summary', ...links }
  const startsAt = '2026-01-02T03:04:05Z'
  const data = join(temporaryDirectory('template'), 'data.json')
  const alerts = [{ status: 'firing', annotations, startsAt }]
  writeFileSync(data, JSON.stringify({ status: 'firing', commonAnnotations: annotations, alerts }))
  const text = '--template.text={{ template "wecom.message" . }}'
  const glob = `--template.glob=${join(folder, 'wecom.tmpl')}`
  const { stdout } = await run('amtool', ['template', 'render', glob, text, `--template.data=${data}`])
  expect(stdout.trimEnd().split('> since 2026-01-02 03:04:05 UTC')[1]).toBe(end)
})

const newer = await buildNewerAlertmanager()
if (newer === undefined) process.stderr.write('go is missing: only the Alertmanager of Debian is tested\n')

test('under CI a newer Alertmanager is tested too', () => {
  expect(newer !== undefined || process.env['CI'] !== 'true').toBe(true)
})

// Before 0.26, Alertmanager treats every response of WeCom as a success:
// https://github.com/prometheus/alertmanager/pull/3330
const versions = [
  { version: "Debian's Alertmanager", command: undefined },
  ...(newer === undefined ? [] : [{ version: 'a newer Alertmanager', command: newer }]),
]

describe.each(versions)('$version with a stand-in for WeCom', ({ command }) => {
  let wecom: Awaited<ReturnType<typeof startWecom>>
  let alertmanager: Awaited<ReturnType<typeof startAlertmanager>>
  const start = (secret: string) =>
    startAlertmanager({
      folder,
      ...(command && { command }),
      directory: temporaryDirectory('alertmanager'),
      wecom: { url: wecom.url, secret },
      // group_wait is 150 ms, and group_interval 1.5 s.
      factor: 200,
    })
  beforeEach(async () => {
    wecom = await startWecom()
    alertmanager = await start(SECRET)
  })
  afterEach(async () => {
    await alertmanager.stop()
    await wecom.stop()
  })

  /** Posts an alert as Prometheus does. It ends in an hour. */
  async function post(alertname: string, labels: Readonly<Record<string, string>> = {}, isResolved = false) {
    const alert = {
      labels: { alertname, job: 'orders', severity: 'critical', ...labels },
      annotations: { summary: `summary of ${alertname}`, runbook_url: 'https://git.example.com/runbook' },
      startsAt: '2026-01-02T03:04:05Z',
      endsAt: new Date(Date.now() + (isResolved ? -1 : 3_600_000)).toISOString(),
    }
    const response = await fetch(`${alertmanager.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([alert]),
    })
    expect(response.status).toBe(200)
  }

  const contents = () => wecom.messages.map(({ content }) => content)

  /** Returns the numbers of notifications and of known failures. */
  async function count(): Promise<{ readonly sent: number; readonly failed: number }> {
    const metrics = await (await fetch(`${alertmanager.url}/metrics`)).text()
    const sum = (name: string) =>
      [...metrics.matchAll(new RegExp(`^${name}\\{.*integration="wechat".*\\} (\\d+)$`, 'gm'))]
        .map(([, value]) => Number(value))
        .reduce((a, b) => a + b, 0)
    return { sent: sum('alertmanager_notifications_total'), failed: sum('alertmanager_notifications_failed_total') }
  }

  test('a message has the status, the summary and the link to the runbook, and a second message resolves it', async () => {
    await post('RestartLoop')
    await until(() => wecom.messages.length === 1)
    await post('RestartLoop', {}, true)
    await until(() => wecom.messages.length === 2)
    expect(contents()).toEqual([
      [
        '<font color="warning">**FIRING**</font> RestartLoop · orders · critical',
        '> summary of RestartLoop',
        '> since 2026-01-02 03:04:05 UTC',
        '[What to do](https://git.example.com/runbook)',
      ].join('\n'),
      expect.stringMatching(/^<font color="info">\*\*RESOLVED\*\*<\/font> RestartLoop · orders · critical\n> summary/),
    ])
    expect(wecom.fetches()).toBe(1)
  })

  test('a message about many instances fits into 2048 bytes', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => post('TargetDown', { instance: `10.0.0.${index}:9464` })),
    )
    await until(() => contents().some((content) => content.includes('40 alerts in all')))
    expect(Math.max(...contents().map((content) => Buffer.byteLength(content)))).toBeLessThan(2048)
  })

  async function readsErrors(): Promise<boolean> {
    const { versionInfo } = (await (await fetch(`${alertmanager.url}/api/v2/status`)).json()) as Status
    // A build by `go install` has no version.
    const [, minor = '99'] = /^0\.(\d+)/.exec(versionInfo.version) ?? []
    return Number(minor) >= 26
  }

  /** Expects that Alertmanager treats the rejected message as delivered. */
  async function isLost(): Promise<void> {
    // Alertmanager counts a message before it sends it.
    await until(async () => (await count()).sent === 1 && wecom.attempts.length > 0)
    expect(await count()).toEqual({ sent: 1, failed: 0 })
    expect(wecom.attempts).toHaveLength(1)
    expect(wecom.messages).toEqual([])
  }

  test('an expired token is renewed at once, or the message is lost', async () => {
    wecom.fail(42001)
    await post('RestartLoop')
    if (await readsErrors()) {
      await until(() => wecom.messages.length === 1)
      // The next message uses the new token.
      await post('LogLinesDropped')
      await until(() => wecom.messages.length === 2)
      expect(wecom.attempts).toHaveLength(3)
    } else await isLost()
  })

  test.each([45009, 60020] as const)(
    'after error %i the next group_interval delivers, or the message is lost',
    async (fault) => {
      wecom.fail(fault)
      await post('RestartLoop')
      if (await readsErrors()) {
        await until(() => wecom.messages.length === 1)
        expect(wecom.attempts).toHaveLength(2)
        expect(await count()).toEqual({ sent: 2, failed: 1 })
      } else await isLost()
    },
  )

  test('a request without a response fails after at least 10 s, and the next group_interval delivers', async () => {
    wecom.fail('no response')
    await post('RestartLoop')
    await until(() => wecom.messages.length === 1, 25_000)
    expect(wecom.attempts).toHaveLength(2)
    expect((await count()).failed).toBe(1)
  })

  test('with a wrong secret no message is sent, and the notification counts as failed', async () => {
    await alertmanager.stop()
    alertmanager = await start('wrong')
    await post('RestartLoop')
    await until(async () => (await count()).failed === 1)
    expect(wecom.attempts).toEqual([])
  })

  const instance = { instance: 'a' }

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['DependencyDown', { check: 'database', ...instance }, ['DatabasePoolExhausted']],
    ['ErrorBudgetBurnFast', {}, ['ErrorBudgetBurn']],
    ['ErrorBudgetBurn', {}, ['ErrorBudgetBurnSlow']],
    ['RestartLoop', instance, ['TargetDown']],
    ['TargetsMissing', {}, ['RestartLoop', 'LogLinesDropped']],
  ])(
    '%s %j silences %j of the same service, and they arrive after the cause has ended',
    async (cause, labels, silenced) => {
      await post(cause, labels)
      await until(() => wecom.messages.length === 1)
      for (const alert of silenced) await post(alert, instance)
      await post(silenced[0]!, { job: 'invoices', ...instance })
      await until(() => wecom.messages.length === 2)
      expect(contents()[1]).toContain(`${silenced[0]} · invoices`)
      const suppressed = await (await fetch(`${alertmanager.url}/api/v2/alerts?active=false`)).json()
      expect(suppressed).toHaveLength(silenced.length)
      await post(cause, labels, true)
      await until(() => silenced.every((each) => contents().some((text) => text.includes(`${each} · orders`))))
    },
  )

  test('no cause silences the latency or the errors of the service, or an alert of another instance', async () => {
    const causes = [
      ...['EventLoopStalled', 'RequestsRefused', 'RestartLoop', 'UpstreamCircuitOpen', 'UpstreamUnavailable'],
      ...['DatabasePoolExhausted', 'ErrorBudgetBurnFast'],
    ]
    for (const cause of causes) await post(cause, instance)
    for (const check of ['database', 'redis']) await post('DependencyDown', { check, instance: 'b' })
    await until(() => wecom.messages.length === causes.length + 1)
    await post('TargetDown', { instance: 'b' })
    for (const symptom of ['LatencyP99High', 'ErrorRateHigh']) await post(symptom)
    await until(() => wecom.messages.length === causes.length + 4)
    const last = contents().slice(-3).join('\n')
    for (const alert of ['TargetDown', 'LatencyP99High', 'ErrorRateHigh']) expect(last).toContain(`${alert} · orders`)
  })

  // https://github.com/prometheus/alertmanager/issues/2754
  test('an alert that resolves while it is silenced sends no message about its end', async () => {
    await post('TargetDown', instance)
    await until(() => wecom.messages.length === 1)
    await post('RestartLoop', instance)
    await until(() => wecom.messages.length === 2)
    await post('TargetDown', instance, true)
    // The messages about the start and the end of another alert are one group_interval apart. Meanwhile Alertmanager
    // processes the resolved alert, and forgets it.
    await post('LogLinesDropped')
    await until(() => wecom.messages.length === 3)
    await post('LogLinesDropped', {}, true)
    await until(() => wecom.messages.length === 4)
    await post('RestartLoop', instance, true)
    await until(() => contents().some((content) => content.includes('RESOLVED**</font> RestartLoop')))
    expect(contents().join('\n')).not.toContain('RESOLVED**</font> TargetDown')
  })
})
