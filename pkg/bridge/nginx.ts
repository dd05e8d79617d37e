import { link, readFile, rename, rm } from 'node:fs/promises'
import { runWithin } from '../run-program.ts'
import { TimeoutError } from '../with-timeout.ts'
import { type Endpoint, integerWeights, toKey } from './endpoints.ts'
import type { Sink } from './publisher.ts'
import { replaceFile } from './replace-file.ts'

export interface NginxOptions {
  /** The file that the upstream blocks of nginx include. */
  readonly path: string
  /** The nginx program and the arguments that name its configuration, such as `['nginx', '-p', '/var/lib/proxy']`. */
  readonly command: readonly string[]
  /** Variables of the program. @default the environment of this process */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Longest run of a command, in milliseconds. @default 10_000 */
  readonly timeoutMs?: number
}

/** Parameters of every server: one broken connection excludes an instance for a second. */
const PARAMETERS = 'max_fails=1 fail_timeout=1s'

/** Writes the list into a file of nginx, and reloads the configuration. Restores the file when `nginx -t` fails. */
export function createNginxSink({ path, command, environment, timeoutMs = 10_000 }: NginxOptions): Sink {
  const previous = `${path}.previous`
  let loaded: string | undefined

  async function nginx(...args: readonly string[]): Promise<void> {
    const [file = '', ...rest] = [...command, ...args]
    let reason: string
    try {
      const { code, stderr } = await runWithin(timeoutMs, file, rest, environment)
      if (code === 0) return
      reason = findReason(stderr) || `exit code ${code}`
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      reason = error instanceof TimeoutError ? message : `exit code ${code}`
    }
    throw new Error(`${[...command, ...args].join(' ')}: ${reason}`)
  }

  async function write(text: string): Promise<void> {
    // A hard link keeps the old file, so its restoration works on a full disk.
    await rm(previous, { force: true })
    const hasPrevious = await link(path, previous).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
        return false
      },
    )
    await replaceFile(path, text)
    try {
      await nginx('-t')
    } catch (error) {
      await (hasPrevious ? rename(previous, path) : rm(path, { force: true }))
      throw error
    }
  }

  return {
    // Each reload starts new workers.
    pauseMs: 2_000,
    async publish(endpoints) {
      const text = render(endpoints)
      const current = await readFile(path, 'utf8').catch(() => undefined)
      if (text === current && text === loaded) return
      if (text !== current) await write(text)
      // An earlier process may have written the file without reloading it.
      await nginx('-s', 'reload')
      loaded = text
    },
  }
}

function render(endpoints: readonly Endpoint[]): string {
  const weights = integerWeights(endpoints)
  const lines = endpoints.map((endpoint, i) => {
    const share = weights[i] === 0 ? 'down' : `weight=${weights[i]}`
    return `server ${toKey(endpoint)} ${share} ${PARAMETERS};\n`
  })
  // nginx refuses an upstream without a server.
  const servers = lines.length > 0 ? lines : ['server 127.0.0.1:1 down;\n']
  return `# app bridge writes this file.\n${servers.join('')}`
}

/** Returns the reason for a failure. nginx writes the reason first, and then a line with the result of the test. */
function findReason(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => /\[(emerg|alert|crit|error)\]/.test(line))
  return (lines[0] ?? stderr.trim().split('\n').at(-1) ?? '').slice(0, 500)
}
