import type { Line, RunningApp } from './app.ts'

export const linesOf = (app: RunningApp, msg: string) => app.lines.filter((line) => line['msg'] === msg)

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
