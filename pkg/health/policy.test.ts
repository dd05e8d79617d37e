import { describe, expect, test } from '@jest/globals'
import {
  aggregate,
  type CheckReport,
  type CheckState,
  findReason,
  nextState,
  type Outcome,
  PENDING,
  report,
} from './policy.ts'

const success = (at: number): Outcome => ({ ok: true, at, latencyMs: 1.26 })
const failure = (at: number): Outcome => ({ ok: false, at, reason: 'refused' })

function settle(outcomes: readonly Outcome[], thresholds = { fall: 2, rise: 2 }): CheckState {
  return outcomes.reduce((state, outcome) => nextState(state, outcome, thresholds), PENDING)
}

describe('nextState', () => {
  test('the first outcome sets the status', () => {
    expect(settle([success(1)]).status).toBe('ok')
    expect(settle([failure(1)])).toMatchObject({ status: 'fail', reason: 'refused' })
  })

  test('a check fails after two consecutive failures', () => {
    expect(settle([success(1), failure(2)]).status).toBe('ok')
    expect(settle([success(1), failure(2), failure(3)]).status).toBe('fail')
    expect(settle([success(1), failure(2), success(3), failure(4)]).status).toBe('ok')
  })

  test('a check recovers after two consecutive successes', () => {
    expect(settle([failure(1), success(2)]).status).toBe('fail')
    expect(settle([failure(1), success(2), success(3)]).status).toBe('ok')
    expect(settle([failure(1), success(2), failure(3), success(4)]).status).toBe('fail')
  })

  test('a check that continues to fail has the latest reason', () => {
    const state = nextState(settle([failure(1)]), { ok: false, at: 2, reason: 'timeout' }, { fall: 1, rise: 1 })
    expect(report(state, true, false)).toMatchObject({ status: 'fail', reason: 'timeout' })
    expect(state.history.at(-1)).toMatchObject({ at: 2 })
  })
})

test('the history has the last sixty runs, oldest first, and is immutable', () => {
  const outcomes = Array.from({ length: 61 }, (_, index) => (index % 2 === 0 ? success(index) : failure(index)))
  const sixty = settle(outcomes.slice(0, 60))
  expect(sixty.history).toEqual(outcomes.slice(0, 60))
  expect(nextState(sixty, outcomes[60]!, { fall: 2, rise: 2 }).history).toEqual(outcomes.slice(1))
  expect(sixty.history).toHaveLength(60)
})

describe('report', () => {
  test('a check that has not run yet fails as pending', () => {
    expect(report(PENDING, true, false)).toEqual({ status: 'fail', critical: true, reason: 'pending' })
  })

  test('an ok check has its latency with one decimal and its time in seconds', () => {
    expect(report(settle([success(5_900)]), false, false)).toEqual({
      status: 'ok',
      critical: false,
      latencyMs: 1.3,
      checkedAt: 5,
    })
  })

  test('a stale result fails as stale, even after a success', () => {
    expect(report(settle([success(1_000)]), true, true)).toMatchObject({ status: 'fail', reason: 'stale' })
    expect(report(settle([failure(1_000)]), true, true)).toMatchObject({ status: 'fail', reason: 'stale' })
  })
})

describe('aggregate', () => {
  const ok: CheckReport = { status: 'ok', critical: true, latencyMs: 1, checkedAt: 1 }
  const failed = (critical: boolean): CheckReport => ({ status: 'fail', critical, reason: 'error', checkedAt: 1 })

  test('is fail only when a critical check fails', () => {
    expect(aggregate([])).toBe('ok')
    expect(aggregate([ok, failed(false)])).toBe('ok')
    expect(aggregate([ok, failed(true)])).toBe('fail')
  })
})

describe('findReason', () => {
  const withCode = (code: string) => Object.assign(new Error('to db.internal:5432'), { code })

  test.each([
    ['ECONNREFUSED', 'refused'],
    ['ENOTFOUND', 'unresolved'],
    ['ETIMEDOUT', 'timeout'],
    ['28P01', 'unauthorized'],
    ['57P03', 'refused'],
    ['42601', 'error'],
  ])('%s is %s', (code, reason) => {
    expect(findReason(withCode(code))).toBe(reason)
  })

  test('searches the causes of an error and both attempts of a connection', () => {
    expect(findReason(new TypeError('fetch failed', { cause: withCode('ECONNREFUSED') }))).toBe('refused')
    expect(findReason(new AggregateError([withCode('ECONNREFUSED'), withCode('ENETUNREACH')]))).toBe('refused')
  })

  test('accepts the reason of an error only from the closed list', () => {
    expect(findReason(Object.assign(new Error(), { reason: 'unhealthy' }))).toBe('unhealthy')
    expect(findReason(Object.assign(new Error(), { reason: 'db.internal is down' }))).toBe('error')
    expect(findReason('a string')).toBe('error')
  })

  test('recognises the error of Redis for a wrong password', () => {
    expect(findReason(new Error('WRONGPASS invalid username-password pair or user is disabled.'))).toBe('unauthorized')
    expect(findReason(new Error('NOAUTH Authentication required.'))).toBe('unauthorized')
  })
})
