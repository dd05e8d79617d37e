import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { restarts, underLoad } from '../support/restarts.ts'

afterEach(killApps)

test('20 rolling restarts, haproxy: no request is lost', async () => {
  const route = 'haproxy'
  const { sent, failures, log } = await underLoad('20 rolling restarts', { route }, restarts(route, 20))
  if (failures.length > 0) process.stdout.write(log)
  expect(failures).toEqual([])
  expect(Math.min(sent.GET, sent.POST)).toBeGreaterThan(2_000)
}, 240_000)
