import { linesOf, type RunningApp } from './app.ts'
import { type LoadReport, startLoad } from './load.ts'
import { until } from './services.ts'

/** Replaces all workers so many times, one roll-out after the other, under load. */
export async function rollOut(app: RunningApp, times: number): Promise<LoadReport> {
  await app.line({ msg: 'serving', pid: app.pid })
  const end = new AbortController()
  const load = startLoad({ port: app.port, clients: 16, signal: end.signal })
  for (let roll = 1; roll <= times; roll++) {
    app.signal('SIGHUP')
    await until(() => linesOf(app, 'roll-out done').length === roll, 20_000)
  }
  end.abort()
  return load
}
