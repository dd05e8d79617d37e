import { expect } from '@jest/globals'
import { startApp } from './app.ts'
import { freePort } from './services.ts'

/** Starts the artifact with an admin port, and returns a function that scrapes it. */
export async function startMeasured(env: Readonly<Record<string, string>> = {}) {
  const app = await startApp({ env: { ADMIN_PORT: String(await freePort()), ...env } })
  const { 'server.port': port } = await app.line({ message: 'admin listening' })
  const url = `http://127.0.0.1:${port}/metrics`
  return {
    app,
    url,
    async scrape(accept = 'text/plain'): Promise<string> {
      const response = await fetch(url, { headers: { accept } })
      expect(response.status).toBe(200)
      return response.text()
    },
  }
}
