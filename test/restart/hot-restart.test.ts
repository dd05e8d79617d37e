import { afterEach, expect, jest, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from '../support/app.ts'
import { freePort } from '../support/services.ts'
import { startSteadyLoad } from '../support/steady-load.ts'

jest.setTimeout(120_000)
afterEach(killApps)

const RESTARTS = 20

test(`${RESTARTS} hot restarts with REUSE_PORT lose no request`, async () => {
  const port = await freePort()
  const env = { PORT: String(port), REUSE_PORT: 'true', DRAIN_DELAY_MS: '200', LOG_LEVEL: 'info' }
  let app: RunningApp = await startApp({ env })
  const common = { targets: [{ port }], clients: 12, intervalMs: 5 }
  const loads = {
    'kept connections': startSteadyLoad(common),
    'a new connection for each request': startSteadyLoad({ ...common, keepAlive: false }),
  }
  for (let restart = 0; restart < RESTARTS; restart++) {
    const old = app
    app = await startApp({ env })
    old.signal('SIGTERM')
    expect(await old.ended).toEqual({ code: 0, signal: null })
  }
  for (const [clients, load] of Object.entries(loads)) {
    const { failures, maxMs } = await load.stop()
    const figures = `${load.sent()} sent, ${failures.length} failed, slowest ${maxMs} ms`
    console.info(`${RESTARTS} hot restarts, ${clients}: ${figures}`)
    expect({ clients, failures }).toEqual({ clients, failures: [] })
    expect(load.sent()).toBeGreaterThan(10 * RESTARTS)
  }
})
