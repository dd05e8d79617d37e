import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { findLineProblems, type Line } from './log-fields.ts'
import { temporaryDirectory } from './temporary.ts'

export type { Line }

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningApp {
  readonly pid: number
  readonly url: string
  readonly port: number
  readonly lines: readonly Line[]
  /** Waits for the first line with these fields. @throws when the process ends without it */
  line(fields: Line): Promise<Line>
  signal(signal: NodeJS.Signals): void
  /** Stops reading the output, so that its pipe fills, until `readOutput`. */
  holdOutput(): void
  readOutput(): void
  readonly ended: Promise<Ended>
}

export interface AppOptions {
  readonly artifact?: 'executable' | 'bundle'
  /** The program to run. @default the artifact */
  readonly program?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The value of NODE_OPTIONS. @default unset */
  readonly nodeOptions?: string
}

const emptyDirectory = temporaryDirectory('artifact')
// The directory is outside this project, so the bundle finds no node_modules above it.
const bundle = join(emptyDirectory, 'server.cjs')
copyFileSync('dist/server.cjs', bundle)

const programs = {
  executable: [resolve('dist/app')],
  bundle: [process.execPath, bundle],
}

const running = new Set<ChildProcess>()

/** Differences between log lines and docs/logs.md. */
const problems = new Set<string>()

/** Fails the test that has started the service, or has used it. */
function failOnProblems(): void {
  const found = [...problems]
  problems.clear()
  if (found.length > 0) throw new Error(`log lines differ from docs/logs.md:\n${found.join('\n')}`)
}
// Outside of jest, as in `make chaos`, the lines are not compared.
;(globalThis as { readonly afterEach?: (run: () => void) => void }).afterEach?.(failOnProblems)

function spawnApp(
  { artifact = 'executable', program, env, nodeOptions }: AppOptions,
  args: readonly string[],
): ChildProcess {
  const [command = '', ...first] = program ?? programs[artifact]
  const child = spawn(command, [...first, ...args], {
    cwd: emptyDirectory,
    env: { ...(nodeOptions && { NODE_OPTIONS: nodeOptions }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** Runs a command of the artifact. Resolves when it has ended. */
export async function runApp(args: readonly string[], options: AppOptions = {}) {
  const child = spawnApp(options, args)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')])
  return { code: code as number, stdout, stderr }
}

/**
 * Starts the service on a free port of the loopback address. Resolves when it serves.
 *
 * @throws when the process ends first
 */
export async function startApp(options: AppOptions = {}): Promise<RunningApp> {
  // Tests start many services at a time, and only one of them can have the default ADMIN_PORT.
  const env = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', ...options.env }
  const app = launchApp([], { ...options, env })
  const port = Number((await app.line({ message: 'listening' }))['server.port'])
  await app.line({ message: 'serving' })
  return { ...app, url: `http://127.0.0.1:${port}`, port }
}

/** Starts a command that runs until a signal, such as `bridge`. */
export function launchApp(args: readonly string[], options: AppOptions = {}): Omit<RunningApp, 'url' | 'port'> {
  const child = spawnApp(options, args)
  const lines: Line[] = []
  const listeners = new Set<() => void>()
  const errors = text(child.stderr!)
  const output = createInterface({ input: child.stdout! }).on('line', (line) => {
    const fields: Line = JSON.parse(line)
    for (const problem of findLineProblems(fields)) problems.add(`${problem}, in the line ${fields['message']}`)
    lines.push(fields)
    for (const listener of listeners) listener()
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal }))

  function line(fields: Line): Promise<Line> {
    const find = () => lines.find((each) => Object.entries(fields).every(([name, value]) => each[name] === value))
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find()
        if (found === undefined) return false
        listeners.delete(look)
        resolve(found)
        return true
      }
      if (look()) return
      listeners.add(look)
      void ended.then(async () => {
        if (!look())
          reject(new Error(`ended without ${JSON.stringify(fields)}:\n${JSON.stringify(lines)}\n${await errors}`))
      })
    })
  }

  return {
    pid: child.pid!,
    lines,
    line,
    signal: (signal) => void child.kill(signal),
    holdOutput: () => void output.pause(),
    readOutput: () => void output.resume(),
    ended,
  }
}

/** Sends SIGINT to every running app. */
export function interruptApps(): void {
  for (const child of running) child.kill('SIGINT')
}

export interface Report {
  readonly status: string
  readonly checks: Readonly<Record<string, { status: string; critical: boolean; reason?: string; checkedAt?: number }>>
}

/** Returns the lines with this message so far. */
export const findLines = ({ lines }: Pick<RunningApp, 'lines'>, message: string) =>
  lines.filter((line) => line['message'] === message)

/** Fetches the body and the status of /health. */
export async function fetchHealth({ url }: Pick<RunningApp, 'url'>): Promise<Report & { readonly code: number }> {
  const response = await fetch(`${url}/health`)
  return { code: response.status, ...((await response.json()) as Report) }
}

/**
 * Ends the apps that a failed test has left, and compares their last lines with docs/logs.md. Call it in afterEach and
 * afterAll.
 */
export async function killApps(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      return closed
    }),
  )
  failOnProblems()
}
