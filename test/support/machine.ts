import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { cached } from './install.ts'
import { type Result, run, succeed } from './run.ts'
import { until } from './services.ts'
import { missingTools } from './tools.ts'

/** A container in which systemd runs as on a server. It has the network of this machine. */
export interface Machine extends AsyncDisposable {
  /** Runs a command as root. Resolves with any exit code. */
  run(file: string, ...args: string[]): Promise<Result>
  /** Runs a command as root. @throws when its exit code is not 0 */
  succeed(file: string, ...args: string[]): Promise<string>
  /** Returns the path on the host of a file in the machine. */
  path(inside: string): string
}

const DEBIAN = ['--variant=essential', '--include=systemd,procps,libatomic1,libstdc++6', 'bookworm']

/** Installs the required tools where possible. Resolves with the reason why no machine can be booted here. */
export async function findObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'systemd runs on Linux only.'
  if (process.getuid?.() !== 0) return 'Only root can boot a container.'
  const tools = ['systemd-nspawn', 'mmdebstrap', 'nsenter']
  return missingTools(tools, 'systemd-container mmdebstrap debian-archive-keyring util-linux')
}

/** Returns the root directory of the machines, which boot on a temporary overlay. */
const buildDebianTree = async (): Promise<string> =>
  join(
    await cached('systemd-tree', DEBIAN.join(' '), (to) => succeed('mmdebstrap', [...DEBIAN, join(to, 'tree')])),
    'tree',
  )

/** Returns whether the process is the first of its container. Its control group also has short-lived children. */
function isFirstProcess(pid: string): boolean {
  try {
    return /^NSpid:.*\s1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/**
 * Boots a machine. The directories and files in `mounts` appear at the paths that they are mapped to, read-only.
 *
 * @throws with the output of the boot when systemd does not start
 */
export async function bootMachine(mounts: Readonly<Record<string, string>>): Promise<Machine> {
  const name = `systemd-test-${randomUUID().slice(0, 8)}`
  const binds = Object.entries(mounts).map(([outside, inside]) => `--bind-ro=${outside}:${inside}`)
  const args = [`--directory=${await buildDebianTree()}`, '--volatile=overlay', '--console=pipe', ...binds]
  const child = spawn('sh', [join(import.meta.dirname, 'machine.sh'), name, ...args], {
    // In a separate process group, Ctrl-C does not end the script before it has removed the machine.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const root = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified'
  const processes = join(root, name, 'payload/init.scope/cgroup.procs')
  let pid = ''

  const enter = (command: readonly string[]): [string, string[]] => ['nsenter', ['--target', pid, '--all', ...command]]
  async function dispose(): Promise<void> {
    child.stdin.end()
    await output
  }

  try {
    await until(() => {
      if (child.exitCode !== null) throw new Error(`machine.sh ended with ${child.exitCode}`)
      pid = existsSync(processes) ? (readFileSync(processes, 'utf8').split('\n').find(isFirstProcess) ?? '') : ''
      return pid !== ''
    }, 60_000)
    await until(async () => {
      const { stdout } = await run(...enter(['systemctl', 'is-system-running']))
      return ['running', 'degraded'].includes(stdout.trim())
    }, 60_000)
  } catch (cause) {
    await dispose()
    throw new Error(`the machine did not boot:\n${(await output).join('\n')}`, { cause })
  }
  return {
    run: (...command) => run(...enter(command)),
    succeed: (...command) => succeed(...enter(command)),
    path: (inside) => join('/proc', pid, 'root', inside),
    [Symbol.asyncDispose]: dispose,
  }
}
