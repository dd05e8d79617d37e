import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { freePort, type LocalServer } from '../../../scripts/services/service.ts'
import { type RunningApp, startApp } from '../app.ts'
import { launchPrometheus } from '../prometheus.ts'
import { startAlertmanager } from './alertmanager.ts'

export interface AlertingOptions {
  readonly directory: string
  /** `host:port` of the metrics of each instance. */
  readonly targets: readonly string[]
  /** The file with the alerts. Its first group has the name of the service and `-respond`. @default alerts.yml */
  readonly alerts?: string
  /** Times in Prometheus' notation. `window` is the range of the rates. */
  readonly times: { readonly scrape: string; readonly window: string; readonly for: string; readonly repeat: string }
}

export interface Alerting {
  readonly prometheus: LocalServer
  /** The responder's address for Alertmanager, and its bearer token. */
  readonly webhook: { readonly url: string; readonly secret: string }
  /** Starts the responder with `rules.json` of the directory. It keeps its state in `state.json` of this directory. */
  startResponder(env?: Readonly<Record<string, string>>): Promise<RunningApp>
  stop(): Promise<void>
}

const folder = resolve('deploy/respond')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

/** Starts Prometheus and Alertmanager with the files of deploy/respond and other times. */
export async function startAlerting(options: AlertingOptions): Promise<Alerting> {
  const { directory, targets, times, alerts = read('alerts.yml') } = options
  const port = await freePort()
  const webhook = { url: `http://127.0.0.1:${port}/alerts`, secret: 'secret-of-the-responder-0123456789abc' }
  const configs = join(directory, 'alertmanager-config')
  mkdirSync(configs)
  writeFileSync(join(configs, 'secret'), webhook.secret, { mode: 0o600 })
  const route = read('alertmanager.yml')
    .replace('http://localhost:9095/alerts', webhook.url)
    .replace('/run/secrets/responder-secret', join(configs, 'secret'))
    .replace('group_interval: 5s', `group_interval: ${times.repeat}`)
    .replace('repeat_interval: 1m', `repeat_interval: ${times.repeat}`)
  writeFileSync(join(configs, 'alertmanager.yml'), route)
  const alertmanager = await startAlertmanager({
    folder: configs,
    directory: join(directory, 'alertmanager'),
    // This configuration sends nothing to WeCom.
    wecom: { url: '', secret: '' },
  })

  const rules = alerts.replaceAll('[1m]', `[${times.window}]`).replaceAll('for: 2m', `for: ${times.for}`)
  writeFileSync(join(directory, 'alerts.yml'), rules)
  const config = {
    global: { scrape_interval: times.scrape, scrape_timeout: times.scrape, evaluation_interval: times.scrape },
    rule_files: ['alerts.yml'],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanager.port}`] }] }] },
    scrape_configs: [{ job_name: parse(rules).groups[0].name.replace(/-respond$/, ''), static_configs: [{ targets }] }],
  }
  const prometheus = await launchPrometheus({ directory, config })
  return {
    prometheus,
    webhook,
    startResponder: (env) =>
      startApp({
        program: [resolve('dist/app'), 'respond'],
        env: {
          RESPONDER_PORT: String(port),
          RESPONDER_RULES: join(directory, 'rules.json'),
          RESPONDER_STATE: join(directory, 'state.json'),
          RESPONDER_SECRET: webhook.secret,
          RESPONDER_DRY_RUN: 'false',
          RESPONDER_PROMETHEUS: prometheus.url,
          ...env,
        },
      }),
    async stop() {
      await prometheus.stop()
      await alertmanager.stop()
    },
  }
}
