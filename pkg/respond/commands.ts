import { runWithin } from '../run-program.ts'
import type { Action } from './rules.ts'

/** Runs a program without a shell. Resolves with its output. @throws when it does not exit with 0 */
export type Run = (file: string, args: readonly string[]) => Promise<string>

/** Creates a function that runs programs with this environment, each for at most `timeoutMs` milliseconds. */
export function createRun(env: Readonly<Record<string, string | undefined>>, timeoutMs = 30_000): Run {
  return async (file, args) => {
    const fail = (code: unknown, reason: string) => Object.assign(new Error(`${file} failed: ${reason}`), { code })
    const { code, killedBy, stdout, stderr } = await runWithin(timeoutMs, file, args, env).catch((error) => {
      throw fail(error.code, error.message)
    })
    if (code === 0) return stdout
    throw fail(code, stderr.trim().slice(0, 500) || `ended with ${killedBy ?? code}`)
  }
}

type Scale = Extract<Action, { type: 'scale' }>
type Restart = Extract<Action, { type: 'restart_instance' }>

/** Adds replicas. @throws when the maximum is reached or a command fails */
export async function scale({ by, max, kubectl, systemd }: Scale, run: Run): Promise<void> {
  if (kubectl) {
    const where = ['--namespace', kubectl.namespace, `deployment/${kubectl.deployment}`]
    const output = (await run('kubectl', ['get', ...where, '--output=jsonpath={.spec.replicas}'])).trim()
    const replicas = /^\d{1,6}$/.test(output) ? Number(output) : undefined
    if (replicas === undefined) throw new Error('kubectl reported no number of replicas')
    if (replicas >= max) throw new Error(`${replicas} replicas are running, and the maximum is ${max}`)
    // With --current-replicas, the command fails when another controller has changed the number in the meantime.
    const counts = [`--current-replicas=${replicas}`, `--replicas=${Math.min(replicas + by, max)}`]
    await run('kubectl', ['scale', ...where, ...counts])
    return
  }
  if (!systemd) return
  const units = Array.from({ length: max }, (_, index) => `${systemd.unit}@${systemd.first + index}.service`)
  const stopped: string[] = []
  for (const unit of units) {
    if (stopped.length < by && !(await isActive(unit, run))) stopped.push(unit)
  }
  if (stopped.length === 0) throw new Error(`${max} instances are running, which is the maximum`)
  await run('systemctl', ['start', ...stopped])
}

/** `systemctl is-active` exits with 3 for a unit that is not active. */
async function isActive(unit: string, run: Run): Promise<boolean> {
  try {
    await run('systemctl', ['is-active', '--quiet', unit])
    return true
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 3) return false
    throw error
  }
}

/**
 * Restarts one instance. `target` is the name of the pod, or of the unit.
 *
 * @throws when systemd does not run the unit, because a restart would then start a new instance
 */
export async function restartInstance({ kubectl }: Restart, target: string, run: Run): Promise<void> {
  if (kubectl) {
    await run('kubectl', ['delete', 'pod', '--wait=false', '--namespace', kubectl.namespace, target])
    return
  }
  const unit = `${target}.service`
  // A unit that has crashed too often is `failed`, and a unit that was never started is `inactive`.
  const state = (await run('systemctl', ['show', '--value', '--property=ActiveState', unit])).trim()
  if (state === 'inactive') throw new Error(`systemd does not run ${unit}`)
  await run('systemctl', ['restart', unit])
}
