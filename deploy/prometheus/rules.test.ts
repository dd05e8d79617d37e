import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { parse, parseAllDocuments } from 'yaml'
import { listen } from '../../test/support/listen.ts'
import { run, succeed } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { debianTool } from '../../test/support/tools.ts'
import { FAULTS } from './harness/faults.ts'
import { listMetrics, readRules } from './harness/rules.ts'

const folder = import.meta.dirname
const { alerts, records } = readRules()
const runbook = readFileSync('docs/runbook.md', 'utf8')

let promtool: string
beforeAll(async () => {
  promtool = await debianTool('promtool', 'prometheus')
}, 300_000)

const read = (path: string) => readFileSync(join(folder, path), 'utf8')
const testFiles = globSync('tests/*.yml', { cwd: folder })

test.each(testFiles)('promtool test rules %s', async (file) => {
  expect(await run(promtool, ['test', 'rules', join(folder, file)])).toMatchObject({ code: 0, stderr: '' })
})

interface PromtoolTest {
  readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[]
}

describe.each(alerts)('$alert', ({ alert, labels, annotations }) => {
  test('the promtool tests expect both that it fires and that it does not fire', () => {
    const tests = testFiles.flatMap((file): PromtoolTest[] => parse(read(file)).tests)
    const expectations = tests.flatMap(({ alert_rule_test = [] }) => {
      const own = alert_rule_test.filter(({ alertname }) => alertname === alert)
      return [own.map(({ exp_alerts = [] }) => exp_alerts.length > 0)]
    })
    // One test expects the states before, during and after the fault.
    expect(expectations.some((fires) => fires.at(0) === false && fires.includes(true) && fires.at(-1) === false)).toBe(
      true,
    )
  })

  test('it has a severity and a summary, and a link to its section of the runbook', () => {
    expect(['critical', 'warning']).toContain(labels.severity)
    expect(annotations.summary).toMatch(/.{20}/)
    const [, page = '', heading] = /^https:\/\/\S+\/blob\/main\/([^#]+)#(.+)$/.exec(annotations.runbook_url) ?? []
    expect({ page, heading }).toEqual({ page: 'docs/runbook.md', heading: alert.toLowerCase() })
    const section = new RegExp(`^## ${alert}\n([^]*?)(?=^## |$(?![^]))`, 'm').exec(runbook)?.[1] ?? ''
    expect(section.length).toBeGreaterThan(200)
  })
})

test('every section of the runbook belongs to an alert', () => {
  const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
  expect(sections.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted())
})

test('README.md has the duration and the severity of each alert, and the fault that a test injects for it', () => {
  const page = read('README.md')
  const rows = [...page.matchAll(/^\| `(\w+)` *\| [^|]+ \| ([^|]*) \| (\w+) +\|$/gm)]
  const described = rows.map(([, alert, duration = '', severity]) => [alert, duration.replaceAll(' ', ''), severity])
  expect(described.toSorted()).toEqual(
    alerts.map((rule) => [rule.alert, rule.for ?? '', rule.labels.severity]).toSorted(),
  )

  const measured = [...page.matchAll(/^\| `(\w+)` \| ([^|]+) \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$/gm)]
  const injected = FAULTS.flatMap(({ fault, alerts, late = [] }) => [...alerts, ...late].map((alert) => [alert, fault]))
  expect(measured.map(([, alert, fault]) => [alert, fault]).toSorted()).toEqual(injected.toSorted())
})

test('docs/metrics.md has every metric of the rules, and every metric and label of the runbook', () => {
  const page = readFileSync('docs/metrics.md', 'utf8')
  const metrics = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  const known = [...metrics, ...records.map(({ record }) => record), 'up']
  const used = [...alerts, ...records].flatMap(({ expr }) => listMetrics(expr))
  expect(used.length).toBeGreaterThan(alerts.length + records.length)
  expect(used.filter((name) => !known.includes(name))).toEqual([])

  const inRunbook =
    runbook.match(/\b(?:http|db|nodejs|v8js|process|health|service|upstream|overload|otel)_(?!unavailable)\w+/g) ?? []
  expect(inRunbook.length).toBeGreaterThan(5)
  const isKnown = (name: string) => listMetrics(name).every((metric) => page.includes(`\`${metric}\``))
  expect(inRunbook.filter((name) => !isKnown(name))).toEqual([])
})

test('in Kubernetes, the function of the runbook prints the JSON lines of every pod without a prefix', async () => {
  await debianTool('kubectl', 'kubernetes-client')
  const [, log = ''] = /^(log\(\) \{ kubectl .*)$/m.exec(runbook) ?? []
  const line = JSON.stringify({ message: 'request' })
  const items = ['a', 'b'].map((name) => ({ metadata: { name }, spec: { containers: [{ name: 'app' }] } }))
  const pods = { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get', 'list'] }
  const responses = new Map<string, object>([
    ['/api', { kind: 'APIVersions', versions: ['v1'] }],
    ['/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: [] }],
    ['/api/v1', { kind: 'APIResourceList', groupVersion: 'v1', resources: [pods] }],
    ['/api/v1/namespaces/default/pods', { kind: 'PodList', apiVersion: 'v1', metadata: {}, items }],
  ])
  // A stand-in for the API server.
  const { url, stop } = await listen(
    createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://api')
      const found = responses.get(pathname)
      response.setHeader('content-type', found ? 'application/json' : 'text/plain')
      response.end(found ? JSON.stringify(found) : `FATAL ERROR: heap\n${line}\n`)
    }),
  )
  const cache = temporaryDirectory('kubectl')
  const client = `kubectl() { command kubectl --server=${url} --cache-dir=${cache} "$@"; }`
  const printed = await run('bash', ['-c', `${client}\n${log}\nlog`], {
    env: { KUBECONFIG: '/dev/null' },
  })
  await stop()
  expect(printed).toMatchObject({ code: 0, stdout: `${line}\n${line}\n` })
})

test('the Prometheus operator gets the same rules', async () => {
  const printed = parseAllDocuments(await succeed('sh', [join(folder, 'operator/print-rules.sh')]))
  const files = globSync('rules/*.yml', { cwd: folder }).sort()
  expect(printed.map((document) => document.toJS().spec)).toEqual(files.map((file) => parse(read(file))))
  expect(new Set(printed.map((document) => document.toJS().metadata.name)).size).toBe(files.length)
})

test('prometheus.yml is valid', async () => {
  expect(await run(promtool, ['check', 'config', join(folder, 'prometheus.yml')])).toMatchObject({ code: 0 })
})

test('promtool rejects a rule with a mistake', async () => {
  const path = join(temporaryDirectory('prometheus'), 'rules.yml')
  writeFileSync(path, read('rules/alerts.yml').replace('and on (job)', 'and on job'))
  expect((await run(promtool, ['check', 'rules', path])).code).not.toBe(0)
})
