import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export interface Alert {
  readonly alert: string
  readonly expr: string
  /** @default fires at once */
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook_url: string }
}

export interface Recording {
  readonly record: string
  readonly expr: string
}

const FOLDER = join(import.meta.dirname, '..')

/** Reads the rules of deploy/prometheus. */
export function readRules(): { readonly alerts: readonly Alert[]; readonly records: readonly Recording[] } {
  const files = globSync('rules/*.yml', { cwd: FOLDER }).sort()
  const groups = files.flatMap(
    (file): { rules: (Alert | Recording)[] }[] => parse(readFileSync(join(FOLDER, file), 'utf8')).groups,
  )
  const rules = groups.flatMap((group) => group.rules)
  return {
    alerts: rules.filter((rule) => 'alert' in rule),
    records: rules.filter((rule) => 'record' in rule),
  }
}

/**
 * Lists the metrics of an expression with their names in docs/metrics.md: `…_bucket` becomes the name of its histogram.
 */
export function listMetrics(expr: string): readonly string[] {
  const bare = expr.replaceAll(/"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left) ?\([^)]*\)/g, ' ')
  const names = [...bare.matchAll(/[a-z_:][\w:]*(?!\w|\()/gi)].map(([name]) => name)
  return names.filter((name) => /[_:]|^up$/.test(name)).map((name) => name.replace(/_(bucket|count|sum)$/, ''))
}
