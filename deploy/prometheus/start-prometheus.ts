import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { freePort, type LocalServer, launch } from '../../scripts/services/service.ts'
import { shorten } from '../../test/support/deploy/shorten.ts'
import { debianTool } from '../../test/support/tools.ts'

export interface PrometheusOptions {
  /** Directory for the configuration, the data and the log. */
  readonly directory: string
  /** `host:port` of each instance. `setTargets` replaces them. */
  readonly targets: readonly string[]
  /** `host:port` of Alertmanager. @default none */
  readonly alertmanager?: string
  /** Preferred port. @default any free port */
  readonly port?: number
  /** Divisor of every duration in the rules. @default 1 */
  readonly factor?: number
  /** Interval of the scrapes in Prometheus' notation. It is not divided. @default 15s */
  readonly scrapeInterval?: string
}

export interface Prometheus extends LocalServer {
  setTargets(targets: readonly string[]): void
}

/** Starts Prometheus with the files of this folder. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { directory, targets, alertmanager, factor = 1, scrapeInterval = '15s' } = options
  const command = await debianTool('prometheus', 'prometheus')
  mkdirSync(join(directory, 'rules'), { recursive: true })
  for (const file of globSync(join(import.meta.dirname, 'rules/*.yml'))) {
    writeFileSync(join(directory, 'rules', basename(file)), shorten(readFileSync(file, 'utf8'), factor))
  }
  const targetsFile = join(directory, 'targets.json')
  const setTargets = (targets: readonly string[]) => writeFileSync(targetsFile, JSON.stringify([{ targets }]))
  setTargets(targets)

  const text = readFileSync(join(import.meta.dirname, 'prometheus.yml'), 'utf8')
  const config = parse(shorten(text, factor))
  config.global.scrape_interval = scrapeInterval
  config.global.scrape_timeout = scrapeInterval
  config.alerting.alertmanagers = alertmanager === undefined ? [] : [{ static_configs: [{ targets: [alertmanager] }] }]
  const [{ static_configs: _, ...job }] = config.scrape_configs
  config.scrape_configs = [{ ...job, file_sd_configs: [{ files: [targetsFile] }] }]
  const configFile = join(directory, 'prometheus.yml')
  // JSON is valid YAML.
  writeFileSync(configFile, JSON.stringify(config))

  const port = await freePort(options.port)
  const server = await launch({
    command,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
    ],
    readyPattern: /Server is ready to receive web requests/,
    logFile: join(directory, 'prometheus.log'),
    stopSignal: 'SIGTERM',
  })
  return { ...server, port, url: `http://127.0.0.1:${port}`, setTargets }
}
