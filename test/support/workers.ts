import { type Line, linesOf, type RunningApp } from './app.ts'

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The workers that are ready and have not ended, by the primary's own account. */
export function workersOf(app: RunningApp): number[] {
  const gone = new Set(
    [...linesOf(app, 'worker died'), ...linesOf(app, 'worker retired')].map(({ worker }: Line) => worker),
  )
  return linesOf(app, 'worker ready').flatMap(({ worker }) => (gone.has(worker) ? [] : [Number(worker)]))
}

/** The different answers of the workers, each asked over several connections. */
export async function statusesOf({ url }: RunningApp, path: string): Promise<ReadonlySet<number>> {
  const answers = Array.from({ length: 12 }, () => fetch(url + path, { headers: { connection: 'close' } }))
  return new Set((await Promise.all(answers)).map(({ status }) => status))
}
