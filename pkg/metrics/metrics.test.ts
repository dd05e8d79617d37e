import { expect, test } from '@jest/globals'
import { Counter, Histogram, Registry } from 'prom-client'
import { createHistogram } from './histogram.ts'
import { render } from './render.ts'
import { createSources } from './sources.ts'

function create() {
  const registry = new Registry()
  const sources = createSources()
  return { registry, sources, scrape: (accept?: string) => render({ sources, registry, accept }) }
}

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0'

test('a histogram renders as a histogram of prom-client with the same values', async () => {
  const bounds = [0.1, 0.5, 2]
  const labels = { route: '/a"b\\c\nd', method: 'GET' }
  const { sources, scrape } = create()
  const theirs = new Registry()
  const series = createHistogram(sources, { name: 'x_seconds', help: 'Help.', bounds }).addSeries(labels)
  const names = Object.keys(labels)
  const histogram = new Histogram({
    name: 'x_seconds',
    help: 'Help.',
    labelNames: names,
    buckets: bounds,
    registers: [theirs],
  })
  for (const value of [0, 0.1, 0.100001, 0.5, 1.25, 2, 2.5, 1e9]) {
    series.observe(value)
    histogram.observe(labels, value)
  }
  const { text } = await scrape()
  expect(text).toContain('x_seconds_bucket{le="0.5",route="/a\\"b\\\\c\\nd",method="GET"} 4')
  expect(text).toBe(await theirs.metrics())
})

test('each set of labels has its own values', async () => {
  const { sources, scrape } = create()
  const histogram = createHistogram(sources, { name: 'x_seconds', help: 'Help.', bounds: [1] })
  const a = histogram.addSeries({ name: 'a' })
  histogram.addSeries({ name: 'b' }).observe(3)
  a.observe(0.5)
  a.observe(1.5)
  const { text } = await scrape()
  expect(text.split('\n').filter((line) => /_(sum|count)/.test(line))).toEqual([
    'x_seconds_sum{name="a"} 2',
    'x_seconds_count{name="a"} 2',
    'x_seconds_sum{name="b"} 3',
    'x_seconds_count{name="b"} 1',
  ])
})

test('OpenMetrics shows the latest exemplar of each bucket that fits into 128 characters, and the older format shows none', async () => {
  const { sources, scrape } = create()
  const series = createHistogram(sources, { name: 'x_seconds', help: 'Help.', bounds: [1] }).addSeries({})
  series.observe(0.25, { request_id: 'first' })
  series.observe(0.5, { request_id: 'second' })
  series.observe(0.75)
  series.observe(2, { request_id: 'x'.repeat(119) })
  const { text } = await scrape(OPEN_METRICS)
  expect(text).toMatch(/^x_seconds_bucket\{le="1"\} 3 # \{request_id="second"\} 0\.5 \d{10}(\.\d+)?$/m)
  expect(text).toMatch(/^x_seconds_bucket\{le="\+Inf"\} 4$/m)
  series.observe(2, { request_id: 'x'.repeat(118) })
  expect((await scrape(OPEN_METRICS)).text).toContain(`{request_id="${'x'.repeat(118)}"} 2 `)
  expect((await scrape()).text).not.toContain('request_id')
})

test('both formats name a counter as its declaration does, in any order and at the same time', async () => {
  const { registry, sources, scrape } = create()
  new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc(3)
  sources.counter('lines_total', 'Lines.', () => 4)
  const scrapes = [undefined, OPEN_METRICS, undefined, OPEN_METRICS].map(scrape)
  const [text, openMetrics, ...others] = await Promise.all(scrapes)
  expect(text).toEqual({
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    text: '# HELP orders_total Orders.\n# TYPE orders_total counter\norders_total 3\n\n# HELP lines_total Lines.\n# TYPE lines_total counter\nlines_total 4\n',
  })
  expect(openMetrics).toEqual({
    contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    text: '# HELP orders Orders.\n# TYPE orders counter\norders_total 3\n# HELP lines Lines.\n# TYPE lines counter\nlines_total 4\n# EOF\n',
  })
  expect(others).toEqual([text, openMetrics])
})

test.each([
  ['*/*', 'text/plain'],
  ['text/plain', 'text/plain'],
  ['application/json', 'text/plain'],
  ['application/openmetrics-text;q=0', 'text/plain'],
  ['application/openmetrics-text;q=0.3,text/plain;q=0.5', 'text/plain'],
  ['application/openmetrics-text', 'application/openmetrics-text'],
  ['Application/OpenMetrics-Text; version=1.0.0; Q=0.5', 'application/openmetrics-text'],
  // Prometheus 2.53 and 3.
  [
    'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    'application/openmetrics-text',
  ],
  ['text/plain;version=0.0.4;q=0.5,*/*;q=0.4', 'text/plain'],
])('the accept header %s gets %s', async (accept, type) => {
  expect((await create().scrape(accept)).contentType).toMatch(`${type};`)
})

test('metrics that are added between two scrapes appear in the second', async () => {
  const { sources, scrape } = create()
  sources.gauge('first', 'First.', () => 1)
  await scrape()
  sources.gauge('second', 'Second.', () => 2)
  expect((await scrape()).text).toBe(
    '# HELP first First.\n# TYPE first gauge\nfirst 1\n\n# HELP second Second.\n# TYPE second gauge\nsecond 2\n',
  )
})

test('a metric whose name the registry already has fails every scrape', async () => {
  const { registry, sources, scrape } = create()
  new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] })
  sources.counter('orders_total', 'Orders.', () => 1)
  await expect(scrape()).rejects.toThrow('orders_total has already been registered')
  await expect(scrape()).rejects.toThrow('orders_total has already been registered')
})

test('a metric that cannot be read fails the scrape', async () => {
  const { sources, scrape } = create()
  sources.gauge('broken', 'Broken.', () => {
    throw new Error('broken')
  })
  await expect(scrape()).rejects.toThrow('broken')
})
