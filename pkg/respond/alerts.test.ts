import { expect, test } from '@jest/globals'
import { alertQuery, parseAlerts } from './alerts.ts'

test('an alert with a very long start time is rejected, because the time becomes a key of the state', () => {
  const alert = { status: 'firing', labels: {}, startsAt: '2026-01-02T03:04:05Z', fingerprint: 'a1' }
  const bodyOf = (startsAt: string) => JSON.stringify({ version: '4', alerts: [{ ...alert, startsAt }] })
  expect(parseAlerts(bodyOf(alert.startsAt))).toHaveLength(1)
  expect(parseAlerts(bodyOf(`2026-01-02T03:04:05.${'1'.repeat(1_000)}Z`))).toBeUndefined()
})

test('a query omits labels with a long name or a long value', () => {
  const labels = { alertname: 'Load', ['n'.repeat(201)]: 'x', path: 'v'.repeat(201) }
  expect(alertQuery(labels)).toBe('ALERTS{alertname="Load"}')
})
