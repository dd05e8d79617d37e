import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { succeed } from '../../test/support/run.ts'
import { freePort, until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

export interface Program {
  readonly state: string
  /** 0 when there is none. */
  readonly pid: number
}

export interface Supervisor extends AsyncDisposable {
  /** What supervisord wrote, not its programs. */
  log(): string
  /** Programs by name. */
  status(): Promise<Readonly<Record<string, Program>>>
  ctl(...args: readonly string[]): Promise<string>
}

export interface SupervisorOptions {
  /** A file of deploy/supervisor. */
  readonly file: string
  /** What stands in that file and is another value here. */
  readonly replace: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
}

/** The first of so many free ports in a row. */
export async function freePorts(count: number): Promise<number> {
  const first = await freePort()
  for (let port = first + 1; port < first + count; port++) {
    if ((await freePort(port)) !== port) return freePorts(count)
  }
  return first
}

/** A supervisord of its own with one file of deploy/, for the user who runs the test. */
export async function startSupervisor({ file, replace, env }: SupervisorOptions): Promise<Supervisor> {
  const directory = temporaryDirectory('supervisor')
  const path = (name: string) => join(directory, name)
  const changes = { '/usr/local/bin/app': resolve('dist/app'), '/var/log/app': directory, 'user=app\n': '', ...replace }
  let text = readFileSync(`deploy/supervisor/${file}`, 'utf8')
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
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
  const options = { env: { PATH: process.env['PATH'], HOST: '127.0.0.1', ...env }, stdio: 'ignore' } as const
  const daemon: ChildProcess = spawn('supervisord', ['--nodaemon', '-c', path('supervisord.conf')], options)
  const closed = once(daemon, 'close')
  const log = () => readFileSync(path('supervisord.log'), 'utf8')
  const ctl = (...args: readonly string[]) => succeed('supervisorctl', ['-c', path('supervisord.conf'), ...args])

  await until(() => daemon.exitCode !== null || (existing(log) && log().includes('supervisord started')))
  return {
    log,
    ctl,
    async status() {
      // It ends with 3 when one of them does not run.
      const output = await succeed('sh', [
        '-c',
        'supervisorctl -c "$0" status || test $? = 3',
        path('supervisord.conf'),
      ])
      const rows = output.matchAll(/^(?:\S+:)?(\S+)\s+([A-Z]+)(?:\s+pid (\d+))?/gm)
      return Object.fromEntries([...rows].map(([, name, state = '', pid = '0']) => [name, { state, pid: Number(pid) }]))
    },
    async [Symbol.asyncDispose]() {
      daemon.kill('SIGTERM')
      await closed
    },
  }
}

function existing(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}
