import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Beside, Served } from '../../scripts/run.ts'
import { startAlertmanager } from '../../test/support/deploy/alertmanager.ts'
import { SECRET, startWecom } from '../../test/support/deploy/wecom.ts'
import { startPrometheus } from './start-prometheus.ts'
import { startTraffic } from './traffic.ts'

const PATHS = ['/ping', '/ping', '/ping', '/openapi.json', '/docs', '/no-such-page']

/** Starts Prometheus, Alertmanager and a light load beside the service. The terminal shows the messages for WeCom. */
export async function start({ url, adminPort }: Served): Promise<Beside> {
  const directory = mkdtempSync(join(tmpdir(), 'observe-'))
  const folder = join(import.meta.dirname, '../alertmanager')
  const wecom = await startWecom(({ content }) => console.error(`\nto WeCom:\n${content}\n`))
  const alertmanager = existsSync(folder)
    ? await startAlertmanager({
        folder,
        directory: join(directory, 'alertmanager'),
        port: 9093,
        wecom: { url: wecom.url, secret: SECRET },
      })
    : undefined
  const prometheus = await startPrometheus({
    directory: join(directory, 'prometheus'),
    targets: [`127.0.0.1:${adminPort}`],
    ...(alertmanager && { alertmanager: `127.0.0.1:${alertmanager.port}` }),
    port: 9090,
    scrapeInterval: '5s',
  })
  const traffic = startTraffic(url, 200)
  traffic.path = (count) => PATHS[count % PATHS.length] ?? '/ping'

  const admin = `http://localhost:${adminPort}`
  const hasBoard = (await fetch(admin)).ok
  return {
    lines: [
      ...(hasBoard ? [`${admin}  the board`] : []),
      `${admin}/metrics  the metrics`,
      `http://localhost:${prometheus.port}/alerts  Prometheus`,
      ...(alertmanager ? [`http://localhost:${alertmanager.port}  Alertmanager`] : []),
    ],
    async stop() {
      await traffic.stop()
      await prometheus.stop()
      await alertmanager?.stop()
      await wecom.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
