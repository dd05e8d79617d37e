import { expect, test } from '@jest/globals'
import { type Reported, renderReport, renderTimeline } from './report.ts'

const reported: Reported = {
  name: 'redis-gone',
  title: 'Redis is gone',
  weakness: 'Looks for waits.',
  hypothesis: 'Every request succeeds',
  result: {
    verdict: 'failed',
    reason: 'share of failed requests: 0.2',
    faultEndedAt: 15_000,
    detected: { at: 420, signal: { at: 420, source: 'instance 1', text: 'check failed (a | "b" <c>)' } },
    recoveredAfterMs: 1_250,
    requests: 600,
    failures: 12,
    seconds: [
      { at: 0, errors: 0 },
      { at: 1, errors: 0.5 },
    ],
  },
}

test('the report has the verdict, the times of detection and recovery, and the failed requests', () => {
  const text = renderReport([reported])
  expect(text).toContain(
    '| [redis-gone](#redis-gone) | failed | 0.4 s instance 1: check failed (a \\| "b" <c>) | 1.3 s | 12 of 600 |',
  )
  expect(text).toContain('Verdict: failed (share of failed requests: 0.2).')
})

test('the timeline has a bar for each second with failed requests, and lines for detection and recovery', () => {
  const text = renderTimeline([reported])
  expect(text.match(/fill="#c0392b"\/>/g)).toHaveLength(1)
  expect(text).toContain('<title>detected: check failed (a | &quot;b&quot; &lt;c>)</title>')
  expect(text).toContain('<title>recovered</title>')
})

test('an experiment without detection and recovery has dashes', () => {
  const { detected: _detected, recoveredAfterMs: _recovered, ...result } = reported.result
  expect(renderReport([{ ...reported, result }])).toContain('| failed | – | – | 12 of 600 |')
})
