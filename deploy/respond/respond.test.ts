import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from '@jest/globals'
import { parse, stringify } from 'yaml'
import { parseRules } from '#pkg/respond/index.ts'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'

const path = (name: string) => join(import.meta.dirname, name)
const read = (name: string) => readFileSync(path(name), 'utf8')

interface Alerts {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly labels: object }[] }[]
}

beforeAll(
  () => needTools(['promtool', 'amtool', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager'),
  300_000,
)

const alerts = (parse(read('alerts.yml')) as Alerts).groups.flatMap(({ rules }) => rules)

test('promtool and amtool accept the files, and an alert goes to the responder and to the people', async () => {
  expect(await run('promtool', ['check', 'rules', path('alerts.yml')])).toMatchObject({ code: 0 })
  expect(await run('amtool', ['check-config', path('alertmanager.yml')])).toMatchObject({ code: 0 })
  const route = (...labels: string[]) =>
    run('amtool', ['config', 'routes', 'test', `--config.file=${path('alertmanager.yml')}`, ...labels])
  for (const { labels } of alerts) {
    const given = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
    expect((await route(...given)).stdout.trim()).toBe('respond,on-call')
  }
  expect((await route('severity=critical')).stdout.trim()).toBe('on-call')
})

test('with the routes of the people between its own, as README.md says, a warning still goes to the team only', async () => {
  const config = parse(read('alertmanager.yml'))
  config.route.routes.splice(1, 0, { matchers: ['severity="warning"'], receiver: 'team' })
  config.receivers.push({ name: 'team' })
  const file = join(temporaryDirectory('routes'), 'alertmanager.yml')
  writeFileSync(file, stringify(config))
  const route = async (...labels: string[]) =>
    (await run('amtool', ['config', 'routes', 'test', `--config.file=${file}`, ...labels])).stdout.trim()
  expect(await route('severity=warning')).toBe('team')
  expect(await route('severity=warning', 'respond=true')).toBe('respond,team')
  expect(await route('severity=critical', 'respond=true')).toBe('respond,on-call')
  expect(await route('severity=critical')).toBe('on-call')
})

test('each alert fires after its time, and resolves', async () => {
  expect(await run('promtool', ['test', 'rules', path('alerts.test.yml')])).toMatchObject({ code: 0, stderr: '' })
})

test('each alert has a rule, and the responder accepts the rules', () => {
  const context = { hasSettings: true, hasRobot: true, upstreams: ['payments'], isFeature: () => true }
  const { rules, problems } = parseRules(read('rules.json'), context)
  expect(problems).toEqual([])
  expect(rules!.rules.map(({ match }) => match['alertname'])).toEqual(alerts.map(({ alert }) => alert))
})
