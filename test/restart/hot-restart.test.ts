import { afterEach, expect, jest, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from '../support/app.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/services.ts'

jest.setTimeout(120_000)
afterEach(killApps)

const RESTARTS = 20

test(`${RESTARTS} hot restarts with REUSE_PORT lose no request`, async () => {
  const port = await freePort()
  const env = { PORT: String(port), REUSE_PORT: 'true', DRAIN_DELAY_MS: '200', LOG_LEVEL: 'info' }
  let app: RunningApp = await startApp({ env })
  const end = new AbortController()
  const common = { port, signal: end.signal }
  const loads = {
    'kept connections': startLoad({ ...common, clients: 12 }),
    'a new connection for each request': startLoad({ ...common, clients: 12, keepAlive: false }),
  }
  for (let restart = 0; restart < RESTARTS; restart++) {
    const old = app
    app = await startApp({ env })
    old.signal('SIGTERM')
    expect(await old.ended).toEqual({ code: 0, signal: null })
  }
  end.abort()
  for (const [clients, load] of Object.entries(loads)) {
    const { sent, failures, slowestMs } = await load
    console.info(
      `${RESTARTS} hot restarts, ${clients}: ${sent} sent, ${failures.length} failed, slowest ${slowestMs.toFixed(0)} ms`,
    )
    expect({ clients, failures }).toEqual({ clients, failures: [] })
    expect(sent).toBeGreaterThan(10 * RESTARTS)
  }
})
