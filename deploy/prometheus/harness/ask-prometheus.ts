import type { LocalServer } from '../../../scripts/services/service.ts'

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [at: number, value: string])[]
}

/** Creates functions that query Prometheus. */
export function askPrometheus({ url }: Pick<LocalServer, 'url'>) {
  async function ask(path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const response = await fetch(`${url}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(query) })
    const { status, data, error } = (await response.json()) as { status: string; data: unknown; error?: string }
    if (status !== 'success') throw new Error(`${JSON.stringify(query)}: ${error}`)
    return data
  }
  return {
    /** Returns the values since `from`, in milliseconds since the epoch. */
    async range(query: string, from: number): Promise<readonly Series[]> {
      const times = { start: String(from / 1e3), end: String(Date.now() / 1e3), step: '250ms' }
      return ((await ask('query_range', { query, ...times })) as { result: Series[] }).result
    },
    /** Returns the names of the alerts that fire. */
    async firing(): Promise<readonly string[]> {
      const response = await fetch(`${url}/api/v1/alerts`)
      const { data } = (await response.json()) as {
        data: { alerts: { state: string; labels: { alertname: string } }[] }
      }
      return [...new Set(data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname))]
    },
  }
}
