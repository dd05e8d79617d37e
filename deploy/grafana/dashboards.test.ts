import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { listQueries, readDashboards } from '../../test/support/deploy/dashboards.ts'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { debianTool } from '../../test/support/tools.ts'

const dashboards = readDashboards(join(import.meta.dirname, 'dashboards'))

test('each dashboard has a unique identifier', () => {
  const names = dashboards.map(({ uid }) => uid)
  expect(names.length).toBeGreaterThan(0)
  expect(new Set(names).size).toBe(names.length)
})

describe.each(dashboards)('$file', (dashboard) => {
  const { panels, templating } = dashboard
  const queries = listQueries(dashboard, 'orders', '1m')

  test('each panel has a unique id and a separate place', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(cells.filter((cell) => Number.parseInt(cell, 10) >= 24)).toEqual([])
  })

  test('the queries use variables that the dashboard or Grafana defines', () => {
    const defined = [...templating.list.map(({ name }) => `$${name}`), '$__rate_interval']
    const used = new Set(
      JSON.stringify(panels)
        .replaceAll(/\$\{(\w+)\}/g, '$$$1')
        .match(/\$\w+/g),
    )
    expect([...used].filter((name) => !defined.includes(name))).toEqual([])
  })

  test('promtool parses every query', async () => {
    const promtool = await debianTool('promtool', 'prometheus')
    const check = async (exprs: readonly string[]) => {
      const path = join(temporaryDirectory('dashboard'), 'queries.yml')
      const rules = exprs.map((expr, index) => ({ record: `query${index}`, expr }))
      writeFileSync(path, JSON.stringify({ groups: [{ name: 'queries', rules }] }))
      return (await run(promtool, ['check', 'rules', path])).code
    }
    expect(await check(queries)).toBe(0)
    expect(await check([...queries, 'sum by job (up)'])).not.toBe(0)
  }, 300_000)

  test('docs/metrics.md has every metric of the queries', () => {
    const page = readFileSync('docs/metrics.md', 'utf8')
    const metrics = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
    const used = queries.flatMap((query) => [...query.matchAll(/(\w+)\{/g)].map(([, name = '']) => name))
    expect(used.length).toBeGreaterThanOrEqual(queries.length)
    const known = (name: string) => [...metrics, 'up', 'ALERTS'].includes(name.replace(/_(bucket|count|sum)$/, ''))
    expect(used.filter((name) => !known(name))).toEqual([])
  })
})

test('an instance that responds and has no check counts as an instance without a failing check', async () => {
  const queries = dashboards.flatMap((dashboard) => listQueries(dashboard, 'orders', '1m'))
  const expr = queries.find((query) => /^count\(.*health_check_status/.test(query))
  const series = [
    ['up{job="orders", instance="no checks"}', 1],
    ['up{job="orders", instance="passes"}', 1],
    ['health_check_status{job="orders", instance="passes", check="redis"}', 1],
    ['up{job="orders", instance="fails"}', 1],
    ['health_check_status{job="orders", instance="fails", check="database"}', 1],
    ['health_check_status{job="orders", instance="fails", check="redis"}', 0],
    ['up{job="orders", instance="down"}', 0],
  ] as const
  const path = join(temporaryDirectory('dashboard'), 'test.yml')
  const input_series = series.map(([series, value]) => ({ series, values: `${value}x4` }))
  const promql_expr_test = [{ expr, eval_time: '1m', exp_samples: [{ labels: '{}', value: 2 }] }]
  writeFileSync(path, JSON.stringify({ tests: [{ interval: '15s', input_series, promql_expr_test }] }))
  const promtool = await debianTool('promtool', 'prometheus')
  expect(await run(promtool, ['test', 'rules', path])).toMatchObject({ code: 0, stderr: '' })
}, 300_000)
