import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { bootMachine, findObstacle, type Machine } from '../../test/support/machine.ts'
import { freePort, until } from '../../test/support/services.ts'
import { startReports } from './responder.ts'
import type { Outcome, Row, RowOptions } from './row.ts'
import { seconds } from './users.ts'

/** The paths in the machine. */
const UNITS = '/srv/systemd'
const SCRIPTS = '/srv/scripts'

interface Unit {
  readonly name: string
  readonly port: number
  readonly adminPort: number
}

/** Installs the executable and the units of deploy/systemd, with a free port, and starts one instance. */
async function install(machine: Machine): Promise<Unit> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const name = `app@${adminPort}.service`
  const write = (path: string, content: string) => {
    mkdirSync(dirname(machine.path(path)), { recursive: true })
    writeFileSync(machine.path(path), content)
  }
  const files = ['app.socket', 'app.service', 'app@.service'].map((file) => `${UNITS}/${file}`)
  await machine.succeed('install', '-m', '755', '/srv/app', '/usr/local/bin/app')
  await machine.succeed('install', '-m', '644', ...files, '/etc/systemd/system/')
  write('/etc/systemd/system/app.socket.d/port.conf', `[Socket]\nListenStream=\nListenStream=127.0.0.1:${port}\n`)
  const load = `Environment=NODE_OPTIONS=--require=${SCRIPTS}/block.cjs`
  write(`/etc/systemd/system/${name}.d/block.conf`, `[Service]\n${load}\n`)
  write('/etc/app/app.env', '')
  await machine.succeed('systemctl', 'daemon-reload')
  await machine.succeed('systemctl', 'start', 'app.socket', name)
  return { name, port, adminPort }
}

/** The shipped unit has WatchdogSec=30, and restarts the instance after a second. */
async function measure({ directory }: RowOptions): Promise<Outcome> {
  const obstacle = await findObstacle()
  if (obstacle !== undefined) throw new Error(`systemd cannot run here: ${obstacle}`)
  const scripts = join(directory, 'scripts')
  mkdirSync(scripts)
  // The instance runs as another user.
  for (const each of [dirname(directory), directory, scripts]) chmodSync(each, 0o755)
  writeFileSync(join(scripts, 'block.cjs'), `process.on('SIGUSR2', () => { for (;;); })`, { mode: 0o644 })
  await using machine = await bootMachine({
    [resolve('dist/app')]: '/srv/app',
    [resolve('deploy/systemd')]: UNITS,
    [scripts]: SCRIPTS,
  })
  const { name, port, adminPort } = await install(machine)
  const ping = async () => {
    const init = { headers: { connection: 'close' }, signal: AbortSignal.timeout(500) }
    return fetch(`http://127.0.0.1:${port}/ping`, init).then(
      ({ status }) => status === 200,
      () => false,
    )
  }
  const show = async (property: string) =>
    (await machine.succeed('systemctl', 'show', '--value', '--property', property, name)).trim()
  const targets = [`127.0.0.1:${adminPort}`]
  const reports = await startReports({ directory, targets, alert: 'InstanceHangs', expr: 'up == 0' })
  try {
    await until(ping, 60_000)
    await setTimeout(11_000)
    const faultAt = Date.now()
    await machine.succeed('systemctl', 'kill', '--kill-who=main', '--signal=SIGUSR2', name)
    await until(async () => (await show('NRestarts')) === '1', 120_000)
    const detectedAt = Date.now()
    await until(ping, 60_000)
    const recoveredAt = Date.now()
    await until(() => reports.count('RESOLVED') > 0, 60_000)
    return {
      samples: [
        {
          detected: seconds(faultAt, detectedAt),
          restarted: seconds(faultAt, recoveredAt),
          notified: seconds(faultAt, reports.firstAt('FIRING')),
          'told of the recovery': seconds(recoveredAt, reports.firstAt('RESOLVED')),
        },
      ],
    }
  } finally {
    await reports.stop()
  }
}

export const rows: readonly Row[] = [
  {
    name: 'blocked',
    fault: 'the event loop is blocked',
    healer: 'watchdog of systemd',
    goals: [
      { name: 'detected', unit: 's' },
      { name: 'restarted', unit: 's', limit: 45 },
      { name: 'notified', unit: 's', limit: 45 },
      { name: 'told of the recovery', unit: 's' },
    ],
    needs: ['deploy/systemd', 'deploy/respond'],
    measure,
  },
]
