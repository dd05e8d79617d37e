import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import type { LocalServer } from '../../scripts/services/service.ts'
import { launchPrometheus, shorten } from '../../test/support/prometheus.ts'

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
  const { directory, targets, alertmanager, port, factor = 1, scrapeInterval = '15s' } = options
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
  return { ...(await launchPrometheus({ directory, config, port })), setTargets }
}
