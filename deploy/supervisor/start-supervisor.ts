import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { succeed } from '../../test/support/run.ts'
import { freePort, until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

export interface Program {
  readonly state: string
  /** 0 when no process runs. */
  readonly pid: number
}

export interface Supervisor extends AsyncDisposable {
  /** The port of the shared socket. */
  readonly port: number
  /** The admin port of each process, which is the number in its name. */
  readonly adminPorts: readonly number[]
  /** The programs of app.conf. */
  readonly names: readonly string[]
  /** The log of supervisord. */
  log(): string
  /** The log of one program. */
  programLog(name: string): string
  /** Programs by name. */
  status(): Promise<Readonly<Record<string, Program>>>
  /** Waits until every program runs. @throws when a program has failed */
  waitUntilAllRun(): Promise<void>
  ctl(...args: readonly string[]): Promise<string>
}

/** Finds free ports whose numbers are consecutive. */
async function findFreeAdminPorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = await freePort()
    if (port - 1 !== ports.at(-1)) ports.length = 0
    ports.push(port)
  }
  return ports
}

export interface SupervisorOptions {
  readonly env?: Readonly<Record<string, string>>
  /** The number of processes. @default that of app.conf */
  readonly numprocs?: number
  /** @default that of app.conf, with the built executable */
  readonly command?: string
}

/**
 * Starts supervisord with the file of this folder, in which it changes paths, ports and the user: the programs run as
 * the user of the test.
 */
export async function startSupervisor({
  env,
  numprocs = 2,
  command = `${resolve('dist/app')} serve`,
}: SupervisorOptions): Promise<Supervisor> {
  const directory = temporaryDirectory('supervisor')
  const path = (name: string) => join(directory, name)
  const port = await freePort()
  const adminPorts = await findFreeAdminPorts(numprocs)
  const names = adminPorts.map((each) => `app-${each}`)
  const changes = {
    '/usr/local/bin/app serve': command,
    'numprocs=2': `numprocs=${numprocs}`,
    '/var/log/app': directory,
    'user=app\n': '',
    'tcp://0.0.0.0:8080': `tcp://127.0.0.1:${port}`,
    'numprocs_start=9470': `numprocs_start=${adminPorts[0]}`,
  }
  let text = readFileSync('deploy/supervisor/app.conf', 'utf8')
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`app.conf does not contain ${from}`)
    text = text.replaceAll(from, to)
  }
  writeFileSync(path('app.conf'), text)
  writeFileSync(
    path('supervisord.conf'),
    `[supervisord]
logfile=${path('supervisord.log')}
pidfile=${path('supervisord.pid')}
[unix_http_server]
file=${path('control')}
[supervisorctl]
serverurl=unix://${path('control')}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files=${path('app.conf')}
`,
  )
  const options = { env: { PATH: process.env['PATH'], ...env }, stdio: 'ignore' } as const
  const daemon: ChildProcess = spawn('supervisord', ['--nodaemon', '-c', path('supervisord.conf')], options)
  const closed = once(daemon, 'close')
  const read = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : '')
  const log = () => read('supervisord.log')
  const ctl = (...args: readonly string[]) => succeed('supervisorctl', ['-c', path('supervisord.conf'), ...args])

  async function status(): Promise<Readonly<Record<string, Program>>> {
    // supervisorctl exits with 3 when a program does not run.
    const output = await succeed('sh', ['-c', 'supervisorctl -c "$0" status || test $? = 3', path('supervisord.conf')])
    const rows = output.matchAll(/^(?:\S+:)?(\S+)\s+([A-Z]+)(?:\s+pid (\d+))?/gm)
    return Object.fromEntries([...rows].map(([, name, state = '', pid = '0']) => [name, { state, pid: Number(pid) }]))
  }

  await until(() => daemon.exitCode !== null || log().includes('supervisord started'))
  if (daemon.exitCode !== null) throw new Error(`supervisord ended with ${daemon.exitCode}:\n${log()}`)
  return {
    port,
    adminPorts,
    names,
    log,
    programLog: (name) => read(`${name}.log`),
    status,
    ctl,
    waitUntilAllRun: () =>
      until(async () => {
        const programs = await status()
        if (names.some((name) => programs[name]?.state === 'FATAL')) throw new Error(log())
        return names.every((name) => programs[name]?.state === 'RUNNING')
      }),
    async [Symbol.asyncDispose]() {
      daemon.kill('SIGTERM')
      await closed
    },
  }
}
