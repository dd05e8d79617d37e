import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort, type LocalServer, launch } from '../../../scripts/services/service.ts'
import { installGoProgram } from '../install.ts'
import { shorten } from '../prometheus.ts'
import { debianTool } from '../tools.ts'

export interface AlertmanagerOptions {
  /** The folder with alertmanager.yml and its templates. */
  readonly folder: string
  /** @default Debian's Alertmanager */
  readonly command?: string
  /** Directory for the data and the log. */
  readonly directory: string
  /** Preferred port. @default any free port */
  readonly port?: number
  /** The API of WeCom and its secret. */
  readonly wecom: { readonly url: string; readonly secret: string }
  /** Divisor of all durations in the file. @default 1 */
  readonly factor?: number
}

/** Starts Alertmanager with alertmanager.yml, and inserts the API and its secret. */
export async function startAlertmanager(options: AlertmanagerOptions): Promise<LocalServer & { readonly log: string }> {
  const { folder, directory, wecom, factor = 1 } = options
  const command = options.command ?? (await debianTool('prometheus-alertmanager', 'prometheus-alertmanager'))
  mkdirSync(directory, { recursive: true })
  const config = join(directory, 'alertmanager.yml')
  const text = readFileSync(join(folder, 'alertmanager.yml'), 'utf8')
    .replace('wechat_api_secret: WECOM_SECRET', `wechat_api_secret: ${wecom.secret}\n  wechat_api_url: ${wecom.url}`)
    .replace('[wecom.tmpl]', `[${resolve(folder, 'wecom.tmpl')}]`)
  writeFileSync(config, shorten(text, factor), { mode: 0o600 })
  const port = await freePort(options.port)
  const log = join(directory, 'alertmanager.log')
  const server = await launch({
    command,
    args: [
      `--config.file=${config}`,
      `--storage.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // Without a cluster, Alertmanager does not wait for peers.
      '--cluster.listen-address=',
    ],
    readyPattern: /msg="?Listening/,
    logFile: log,
    stopSignal: 'SIGTERM',
  })
  return { ...server, port, url: `http://127.0.0.1:${port}`, log }
}

/** A version that reads the errors of WeCom. */
const NEWER = 'github.com/prometheus/alertmanager/cmd/alertmanager@v0.28.1'

/** Builds a newer Alertmanager than Debian's in the user's cache. Resolves with its path, or undefined without Go. */
export async function buildNewerAlertmanager(): Promise<string | undefined> {
  try {
    return await installGoProgram(NEWER)
  } catch (error) {
    process.stderr.write(`${NEWER} was not built:\n${error}\n`)
    return undefined
  }
}
