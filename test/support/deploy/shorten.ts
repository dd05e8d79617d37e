const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 }

/** Divides every duration of a configuration of Prometheus or Alertmanager: ranges in brackets, and values of keys. */
export function shorten(yaml: string, factor: number): string {
  const divide = (number: string, unit: string) =>
    `${Math.max(1, Math.round((Number(number) * UNITS_MS[unit]!) / factor))}ms`
  return yaml
    .replaceAll(/\[(\d+)(ms|[smhd])\]/g, (_, number, unit) => `[${divide(number, unit)}]`)
    .replaceAll(/^(\s*\w+: )(\d+)(ms|[smhd])$/gm, (_, key, number, unit) => key + divide(number, unit))
}
