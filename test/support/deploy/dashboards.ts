import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

export interface Dashboard {
  readonly file: string
  readonly uid: string
  readonly title: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string }[] }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}

/** Reads the dashboards of a folder. An absent folder has none. */
export function readDashboards(folder: string): readonly Dashboard[] {
  const files = globSync(join(folder, '*.json')).sort()
  return files.map((file) => ({ ...JSON.parse(readFileSync(file, 'utf8')), file: basename(file) }))
}

/** Lists the queries of a dashboard, with values for the variables that Grafana replaces. */
export function listQueries(dashboard: Dashboard, job: string, rateInterval: string): readonly string[] {
  const values: Readonly<Record<string, string>> = { $job: job, $instance: '.*', $__rate_interval: rateInterval }
  const panels = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  const all = [...panels, ...dashboard.annotations.list.map(({ expr }) => expr)]
  return all.map((expr) => expr.replaceAll(/\$\w+/g, (name) => values[name] ?? name))
}
