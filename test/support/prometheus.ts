import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type LocalServer, launch } from '../../scripts/services/service.ts'
import { debianTool } from './tools.ts'

export interface PrometheusLaunch {
  /** Directory for the configuration, the data and the log. */
  readonly directory: string
  /** The content of prometheus.yml. Paths in it are relative to the directory. */
  readonly config: object
  /** Preferred port. @default any free port */
  readonly port?: number | undefined
}

/** Starts Debian's Prometheus, which also stores exemplars. */
export async function launchPrometheus({ directory, config, ...options }: PrometheusLaunch): Promise<LocalServer> {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'prometheus.yml')
  // JSON is valid YAML.
  writeFileSync(file, JSON.stringify(config))
  const port = await freePort(options.port)
  const server = await launch({
    command: await debianTool('prometheus', 'prometheus'),
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
    ],
    readyPattern: /Server is ready to receive web requests/,
    logFile: join(directory, 'prometheus.log'),
    stopSignal: 'SIGTERM',
  })
  return { ...server, port, url: `http://127.0.0.1:${port}` }
}

/** Starts Prometheus, which scrapes one service five times a second. @param metrics the URL of the metrics */
export function scrapeWithPrometheus(metrics: string, directory: string): Promise<LocalServer> {
  const job = { job_name: 'app', static_configs: [{ targets: [new URL(metrics).host] }] }
  return launchPrometheus({ directory, config: { global: { scrape_interval: '200ms' }, scrape_configs: [job] } })
}

/** Returns the labels of each exemplar of a metric, with those of its series. */
export async function findExemplars(
  { url }: Pick<LocalServer, 'url'>,
  metric: string,
): Promise<readonly Readonly<Record<string, string>>[]> {
  const now = Date.now() / 1e3
  const query = new URLSearchParams({ query: metric, start: String(now - 600), end: String(now + 600) })
  const response = await fetch(`${url}/api/v1/query_exemplars?${query}`)
  type Labels = Readonly<Record<string, string>>
  const { data } = (await response.json()) as {
    readonly data: readonly {
      readonly seriesLabels: Labels
      readonly exemplars: readonly { readonly labels: Labels }[]
    }[]
  }
  return data.flatMap(({ seriesLabels, exemplars }) => exemplars.map(({ labels }) => ({ ...seriesLabels, ...labels })))
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 }

/** Divides every duration of a configuration of Prometheus or Alertmanager: ranges in brackets, and values of keys. */
export function shorten(yaml: string, factor: number): string {
  const divide = (number: string, unit: string) =>
    `${Math.max(1, Math.round((Number(number) * UNITS_MS[unit]!) / factor))}ms`
  return yaml
    .replaceAll(/\[(\d+)(ms|[smhd])\]/g, (_, number, unit) => `[${divide(number, unit)}]`)
    .replaceAll(/^(\s*\w+: )(\d+)(ms|[smhd])$/gm, (_, key, number, unit) => key + divide(number, unit))
}
