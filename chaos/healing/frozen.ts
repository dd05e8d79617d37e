import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { launchApp } from '../../test/support/app.ts'
import { addresses, type RunningProxy, type StartProxy } from '../../test/support/deploy/proxy.ts'
import { type Instance, startFleet } from '../../test/support/fleet.ts'
import { freePort, until } from '../../test/support/services.ts'
import { startResponder, startSystemctl } from './responder.ts'
import { type Goal, importWay, type Outcome, type Row, type RowOptions, type Sample } from './row.ts'
import { isGood, judgeLag, recoveredAfter, seconds, startUsers } from './users.ts'

/** Longest wait of a user, in milliseconds. */
const PATIENCE_MS = 2_000

interface Guarded extends RunningProxy {
  /** Returns how often the proxy, or its bridge, has excluded an instance, and has included an instance again. */
  readonly counts: () => { readonly out: number; readonly back: number }
  readonly end: () => Promise<void>
}

const count = (text: string, word: RegExp) => text.match(word)?.length ?? 0

/** HAProxy with its own health checks, at the times of the shipped file. */
async function openHaproxy(fleet: readonly Instance[]): Promise<Guarded> {
  const { startHaproxy } = await importWay<{ startHaproxy: StartProxy }>('deploy/haproxy/start-haproxy.ts')
  const env = { CHECK_INTERVAL: '500ms', CHECK_TIMEOUT: '500ms' }
  const proxy = await startHaproxy({ instances: addresses(fleet), env })
  return {
    ...proxy,
    counts: () => ({
      out: count(proxy.log(), /round_robin\/app-\d is DOWN/g),
      back: count(proxy.log(), /round_robin\/app-\d is UP/g),
    }),
    end: proxy.stop,
  }
}

/** nginx, whose health checks are those of `app bridge`. */
async function openNginx(fleet: readonly Instance[], directory: string): Promise<Guarded> {
  const { startNginx } = await importWay<{ startNginx: StartProxy }>('deploy/nginx/start-nginx.ts')
  const proxy = await startNginx({ instances: addresses(fleet), reloads: true })
  const bridge = launchApp(['bridge'], {
    env: {
      ...proxy.bridge,
      BRIDGE_INSTANCES: addresses(fleet).join(),
      BRIDGE_POLL_MS: '500',
      BRIDGE_STATE: join(directory, 'bridge.json'),
    },
  })
  await bridge.line({ message: 'instances changed' })
  const changes = (field: string) =>
    bridge.lines.flatMap((line) => (line['message'] === 'instances changed' ? [line[field] as readonly string[]] : []))
  return {
    ...proxy,
    // The first list adds every instance.
    counts: () => ({
      out: changes('App.upstream.removed').flat().length,
      back: changes('App.upstream.added').flat().length - fleet.length,
    }),
    async end() {
      bridge.signal('SIGTERM')
      await bridge.ended
      await proxy.stop()
    },
  }
}

async function endFleet(fleet: readonly Instance[]): Promise<void> {
  await Promise.all(fleet.map((instance) => instance.kill()))
}

/** Time for which the row watches the users after a fault, in milliseconds. */
const WATCH_MS = 8_000

const measureProxy =
  (open: (fleet: readonly Instance[], directory: string) => Promise<Guarded>) =>
  async ({ repeat, directory }: RowOptions): Promise<Outcome> => {
    const fleet = await startFleet()
    const proxy = await open(fleet, directory)
    const users = startUsers({
      port: proxy.port,
      path: '/ping',
      ratePerSecond: 50,
      timeoutMs: PATIENCE_MS,
      keepAlive: false,
    })
    const samples: Sample[] = []
    for (let index = 0; index < repeat; index++) {
      // Each repetition begins at a different moment between two checks of the proxy.
      await setTimeout(2_000 + (index / repeat) * 500)
      const before = proxy.counts()
      const app = fleet[index % fleet.length]?.app()
      const faultAt = Date.now()
      app?.signal('SIGSTOP')
      await until(() => proxy.counts().out > before.out, 60_000)
      const detectedAt = Date.now()
      await setTimeout(Math.max(PATIENCE_MS, WATCH_MS - (detectedAt - faultAt)))
      const observedAt = Date.now()
      const watched = users.during(faultAt - PATIENCE_MS, observedAt - PATIENCE_MS)
      samples.push({
        detected: seconds(faultAt, detectedAt),
        recovered: recoveredAfter(faultAt, watched),
        'failed requests': watched.filter((each) => !isGood(each)).length,
      })
      app?.signal('SIGCONT')
      await until(() => proxy.counts().back > before.back, 60_000)
    }
    const lagMs = await users.stop()
    await proxy.end()
    await endFleet(fleet)
    return { samples, ...judgeLag(lagMs) }
  }

/** The name of a unit of systemd is the admin port of its instance, as in deploy/systemd. */
async function startUnits() {
  const ports = [await freePort(), await freePort(), await freePort()]
  const fleet = await startFleet({
    env: { DRAIN_DELAY_MS: '1000' },
    envFor: (index) => ({ ADMIN_PORT: String(ports[index]) }),
  })
  let restarts = 0
  const find = (unit = '') => fleet[ports.findIndex((port) => unit === `app@${port}.service`)]
  return {
    fleet,
    targets: fleet.map(({ host }, index) => `${host}:${ports[index]}`),
    async systemctl(args: readonly string[]): Promise<number | string> {
      const instance = find(args.at(-1))
      if (instance === undefined) return 1
      if (args[0] === 'show') return 'active'
      // `stop` sends SIGTERM and SIGCONT, as systemd does (KillSignal= in systemd.kill(5)).
      await instance.stop()
      await instance.start()
      restarts++
      return 0
    },
    restarts: () => restarts,
  }
}

async function measureResponder({ repeat, directory }: RowOptions): Promise<Outcome> {
  const { fleet, targets, systemctl, restarts } = await startUnits()
  const proxy = await openHaproxy(fleet)
  const standIn = await startSystemctl(directory, systemctl)
  const { responder, stop } = await startResponder({
    directory,
    targets,
    env: standIn.env,
    reaction: {
      alert: 'InstanceHangs',
      expr: 'up == 0',
      for: '5s',
      action: { type: 'restart_instance', systemd: { unit: 'app' } },
      cooldownSeconds: 10,
    },
  })
  const started = () => responder.lines.filter(({ message }) => message === 'action started').length
  const performed = () => responder.lines.filter(({ message }) => message === 'signal recovered').length
  const samples: Sample[] = []
  for (let index = 0; index < repeat; index++) {
    // Each repetition begins at a different moment between two scrapes.
    await setTimeout(11_000 + (index / repeat) * 5_000)
    const before = { started: started(), performed: performed() }
    const faultAt = Date.now()
    fleet[index % fleet.length]?.app().signal('SIGSTOP')
    await until(() => started() > before.started, 120_000)
    const startedAt = Date.now()
    // The last line of the log about this server, after the new process has started.
    const server = new RegExp(`round_robin/app-${1 + (index % fleet.length)} is (\\w+)`, 'g')
    const isUp = () => proxy.log().match(server)?.at(-1)?.endsWith('UP') ?? false
    await until(() => restarts() > index && isUp(), 120_000)
    samples.push({ detected: seconds(faultAt, startedAt), replaced: seconds(faultAt, Date.now()) })
    await until(() => performed() > before.performed, 120_000)
  }
  await stop()
  standIn.stop()
  await proxy.end()
  await endFleet(fleet)
  return { samples }
}

const goals: readonly Goal[] = [
  { name: 'detected', unit: 's', limit: 2 },
  { name: 'recovered', unit: 's', limit: 5 },
  { name: 'failed requests', unit: '' },
]

export const rows: readonly Row[] = [
  {
    name: 'frozen-nginx',
    fault: 'one of three instances behind nginx is frozen (SIGSTOP)',
    healer: 'in process',
    goals,
    needs: ['deploy/nginx'],
    isQuick: true,
    measure: measureProxy(openNginx),
  },
  {
    name: 'frozen-haproxy',
    fault: 'one of three instances behind HAProxy is frozen (SIGSTOP)',
    healer: 'in process',
    goals,
    needs: ['deploy/haproxy'],
    isQuick: true,
    measure: measureProxy(openHaproxy),
  },
  {
    name: 'frozen-responder',
    fault: 'one of three instances is frozen (SIGSTOP)',
    healer: 'responder',
    goals: [
      { name: 'detected', unit: 's' },
      { name: 'replaced', unit: 's', limit: 30 },
    ],
    needs: ['deploy/haproxy', 'deploy/respond'],
    measure: measureResponder,
  },
]
