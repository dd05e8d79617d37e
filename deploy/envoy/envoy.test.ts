import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from '@jest/globals'
import { parseDocument } from 'yaml'
import { killApps, startApp } from '../../test/support/app.ts'

// Debian has no Envoy. What can be held without one: the file is YAML, and the service keeps to what it relies on.
const file = 'deploy/envoy/envoy.yaml'

afterEach(killApps)

test('the configuration is YAML without a key that is there twice', () => {
  expect(parseDocument(readFileSync(file, 'utf8'), { uniqueKeys: true }).errors).toEqual([])
})

test('the health check that it makes is told at once when an instance drains', async () => {
  const [, path] = /http_health_check: \{ path: '([^']+)'/.exec(readFileSync(file, 'utf8')) ?? []
  const app = await startApp({ env: { DRAIN_DELAY_MS: '5000' } })
  const ask = async () => {
    const { status, headers } = await fetch(`${app.url}${path}`)
    return [status, headers.get('x-envoy-immediate-health-check-fail')]
  }
  expect(await ask()).toEqual([200, null])
  app.signal('SIGTERM')
  await app.line({ msg: 'draining' })
  expect(await ask()).toEqual([503, 'true'])
})
