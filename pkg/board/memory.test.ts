import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { expect, test } from '@jest/globals'

/** Prints the growth of the memory of a process, in bytes, after `flood` has filled a board. */
function measure(flood: string): number {
  const script = `
    const { createBoard } = await import(${JSON.stringify(pathToFileURL('pkg/board/index.ts').href)})
    const used = () => {
      for (let run = 0; run < 3; run++) gc()
      const { heapUsed, external } = process.memoryUsage()
      return heapUsed + external
    }
    let time = 1e12
    let count = 0
    const before = used()
    const board = createBoard({ service: 's', version: '1', phase: () => 'serving', checks: () => ({}), now: () => time })
    /** Returns a slice of a longer text. Only the slice keeps that text in memory. */
    const text = (length, character = 'x') => (character.repeat(length + 4_000) + count++).slice(0, length)
    const span = (kind, requestId, { name = 'GET /', durationMs = 5, attributes = {}, ...rest } = {}) =>
      board.onSpan({ traceId: text(32), spanId: text(16) + count, requestId, name, kind, startedAt: time, durationMs, attributes, ...rest })
    const line = (requestId, message) =>
      board.onLine(JSON.stringify({ 'http.request.id': requestId, message }) + '\\n')
    ${flood}
    board.read()
    board.find('none')
    console.log(used() - before)
    board.stop()`
  return Number(
    execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], { encoding: 'utf8' }),
  )
}

const FLOODS = {
  'ordinary requests over an hour': `
    for (let second = 0; second < 900; second += 1) {
      time += 4_000
      for (let each = 0; each < 25; each++) {
        const id = 'request-' + count
        for (let child = 0; child < 3; child++) span('client', id, { attributes: { 'db.query.summary': text(20) } })
        line(id, text(300))
        const status = each % 2 ? 500 : 200
        span('server', id, { durationMs: second, attributes: { 'url.path': text(100), 'http.response.status_code': status } })
      }
    }`,
  'huge spans and lines with two bytes for each character': `
    for (let each = 0; each < 200; each++) {
      time += 200
      const id = 'request-' + each
      const attributes = Object.fromEntries(Array.from({ length: 40 }, () => [text(20), text(1_024, '漢')]))
      for (let child = 0; child < 70; child++) {
        span('client', id, { name: text(300, '漢'), error: text(200), attributes: child % 20 ? {} : attributes })
      }
      for (let child = 0; child < 70; child++) line(id, text(child % 50 ? 1_000 : 100_000, '漢'))
      span('server', id, { name: text(100_000, '漢'), durationMs: each, attributes: { ...attributes, 'url.path': text(100_000, '漢') }, error: text(1e5) })
    }`,
  'requests that never end': `
    for (let each = 0; each < 3_000; each++) {
      span('internal', 'request-' + each, { attributes: { 'code.function.name': text(100) } })
      line('request-' + each, text(400))
    }`,
  'a single request id': `
    for (let each = 0; each < 3_000; each++) {
      time += 10
      line('the same', text(1_000))
      span('client', 'the same')
      span('server', 'the same', { durationMs: each, attributes: { 'url.path': text(1_000) } })
    }`,
  'long request ids': `
    for (let each = 0; each < 500; each++) {
      line(text(10_000), 'x')
      span('server', text(10_000))
    }`,
  'many routes and many readings': `
    board.addPanel({ name: 'Upstreams', read: () => Array.from({ length: 500 }, (_, index) => ({ name: 'upstream ' + index, value: Math.random(), unit: 'ms' })) })
    for (let each = 0; each < 200; each++) {
      time += 5_000
      for (let route = 0; route < 200; route++) span('server', undefined, { name: 'GET /' + route, durationMs: Math.random() * 1e4 })
      board.sample()
    }`,
}

test.each(Object.entries(FLOODS))('%s do not fill more than 4 MB', (_name, flood) => {
  expect(measure(flood)).toBeLessThan(4e6)
})

test('every flood together does not fill more than 4 MB', () => {
  const bytes = measure(
    Object.values(FLOODS)
      .map((flood) => `{${flood}}`)
      .join('\n'),
  )
  expect(bytes).toBeLessThan(4e6)
  // A measurement that does not see the memory of the board would be small.
  expect(bytes).toBeGreaterThan(1e6)
})
