import { existsSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { fetchHealth, killApps, type RunningApp, runApp, startApp } from '../../../test/support/app.ts'
import { startAlertmanager } from '../../../test/support/deploy/alertmanager.ts'
import { SECRET, startWecom } from '../../../test/support/deploy/wecom.ts'
import { freePort, testPostgres, testRedis, until } from '../../../test/support/services.ts'
import { startPrometheus } from '../start-prometheus.ts'
import { startTraffic } from '../traffic.ts'
import { askPrometheus } from './ask-prometheus.ts'
import { buildFaulty } from './build-faulty.ts'
import { startProtectedService } from './protected-service.ts'

export interface WatchedServiceOptions {
  readonly directory: string
  /** Divisor of all durations in the rules and in Alertmanager. */
  readonly factor: number
  /** Interval of the scrapes in Prometheus' notation. It is not divided, because a scrape must end within it. */
  readonly scrapeInterval: string
}

export type WatchedService = Awaited<ReturnType<typeof startWatchedService>>

/**
 * Starts two instances with stores and a third with an upstream, overload protection and traces, a load on the first and
 * the third, and Prometheus and Alertmanager with a stand-in for WeCom.
 */
export async function startWatchedService({ directory, factor, scrapeInterval }: WatchedServiceOptions) {
  const bundle = join(directory, 'server.cjs')
  const program = [process.execPath, bundle]
  const [database, redis, wecom] = await Promise.all([testPostgres(), testRedis(), startWecom(), buildFaulty(bundle)])
  const { code } = await runApp(['migrate'], { program, env: { DATABASE_URL: database.url } })
  if (code !== 0) throw new Error(`app migrate ended with ${code}`)
  const ports = { a: await freePort(), b: await freePort(), c: await freePort() }
  const targets = Object.values(ports).map((port) => `127.0.0.1:${port}`)

  const createEnv = (name: keyof typeof ports) => ({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    ADMIN_PORT: String(ports[name]),
    // Makes the service use Redis, which counts the requests.
    RATE_LIMIT: '1000000',
    // On a busy machine, a check of a healthy server takes hundreds of milliseconds.
    HEALTH_INTERVAL_MS: '1000',
    HEALTH_TIMEOUT_MS: '1000',
  })

  async function start(name: 'a' | 'b'): Promise<RunningApp> {
    const app = await startApp({ program, env: createEnv(name) })
    await until(async () => (await fetchHealth(app)).status === 'ok')
    return app
  }

  const a = await start('a')
  let b = await start('b')
  const c = await startProtectedService(program, createEnv('c'))
  const folder = join(import.meta.dirname, '../../alertmanager')
  const alertmanager = existsSync(folder)
    ? await startAlertmanager({
        folder,
        directory: join(directory, 'alertmanager'),
        wecom: { url: wecom.url, secret: SECRET },
        factor,
      })
    : undefined
  const startedAt = Date.now()
  const prometheus = await startPrometheus({
    directory: join(directory, 'prometheus'),
    targets,
    ...(alertmanager && { alertmanager: `127.0.0.1:${alertmanager.port}` }),
    factor,
    scrapeInterval,
  })
  const ask = askPrometheus(prometheus)
  const traffic = startTraffic(a.url, 25)
  const protectedTraffic = startTraffic(c.url, 25)
  protectedTraffic.path = () => '/faults/call'

  async function kill(): Promise<void> {
    b.signal('SIGKILL')
    await b.ended
  }

  async function restart(): Promise<void> {
    b = await start('b')
  }

  return {
    /** In milliseconds since the epoch. */
    startedAt,
    database,
    ask,
    traffic,
    /** The third instance. */
    protectedService: c,
    protectedTraffic,
    /** The messages to WeCom. Undefined without Alertmanager. */
    messages: alertmanager && wecom.messages,
    loseTargets: () => prometheus.setTargets([]),
    findTargets: () => prometheus.setTargets(targets),
    kill,
    restart,

    async restartThreeTimes(): Promise<void> {
      const query = `changes(process_start_time_seconds{instance="127.0.0.1:${ports.b}"}[1h])`
      const changes = async () => Number((await ask.range(query, Date.now() - 250))[0]?.values.at(-1)?.[1])
      const before = await changes()
      for (let count = 1; count <= 3; count++) {
        await kill()
        // Without stores, three starts fit into the window of the alert on a busy machine too.
        b = await startApp({ program, env: { ADMIN_PORT: String(ports.b) } })
        await until(async () => (await changes()) === before + count, 60_000)
      }
    },

    /** Fills the pipe of the output and the buffer behind it. */
    async blockOutput(): Promise<void> {
      b.holdOutput()
      const agent = new Agent({ keepAlive: true, maxSockets: 16 })
      const send = () =>
        new Promise((resolve, reject) => {
          const url = `${b.url}/${'x'.repeat(1_000)}`
          get(url, { agent }, (response) => response.resume().once('end', resolve)).once('error', reject)
        })
      await Promise.all(Array.from({ length: 2_000 }, send))
      agent.destroy()
    },
    readOutput: () => b.readOutput(),

    async stop(): Promise<void> {
      await Promise.all([traffic.stop(), protectedTraffic.stop()])
      await prometheus.stop()
      await alertmanager?.stop()
      await killApps()
      c.stop()
      await Promise.all([database.stop(), redis.stop(), wecom.stop()])
    },
  }
}
