import { appendFileSync, copyFileSync, readFileSync, renameSync, truncateSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from '../../test/support/app.ts'
import { until } from '../../test/support/services.ts'
import { expectedRecords, listNames, logRequests, renderRecords, writingTo } from './harness/shipped.ts'
import { type Kafka, startKafka } from './harness/start-kafka.ts'
import { type Rsyslog, startRsyslog } from './harness/start-rsyslog.ts'

// The first run downloads the broker.
jest.setTimeout(600_000)

/** Duration of the outage of the broker, in seconds. */
const OUTAGE_S = Number(process.env['OUTAGE_S'] ?? (process.env['CI'] === 'true' ? 30 : 0))

let kafka: Kafka
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka?.stop())

let topics = 0
let topic: string
let rsyslog: Rsyslog
let app: RunningApp
beforeEach(async () => {
  topics++
  topic = `logs-${topics}`
  rsyslog = await startRsyslog({ broker: kafka.address, topic })
  app = await startApp(writingTo(rsyslog.file))
})
afterEach(async () => {
  await killApps()
  await rsyslog.kill()
})

/** Waits until the line of the last request is in Kafka. */
const arrived = (name: string) =>
  until(async () => (await kafka.read(topic)).some(({ value }) => value.includes(`/missing/${name}"`)), 120_000)

/** Waits until rsyslog has noticed that the broker is down. */
const suspended = () => until(() => /action .+ suspended/.test(rsyslog.messages()), 60_000)

/** Stops the service and rsyslog, so that no further record can arrive. @returns the records */
async function finish() {
  app.signal('SIGINT')
  await app.ended
  const lines = expectedRecords(rsyslog.file)
  const last = lines.at(-1)
  await until(async () => renderRecords(await kafka.read(topic)).includes(last ?? ''), 120_000)
  await rsyslog.stop()
  return { lines, records: await kafka.read(topic) }
}

test('each line arrives once and in order, with the machine, the file and the offset, in the partition of the machine', async () => {
  await logRequests(app, rsyslog.file, listNames('a', 200))
  const { lines, records } = await finish()
  expect(lines.length).toBeGreaterThan(200)
  expect(renderRecords(records)).toEqual(lines)
  expect(new Set(records.map(({ key }) => key))).toEqual(new Set([hostname()]))
  expect(new Set(records.map(({ partition }) => partition)).size).toBe(1)
})

test('each line arrives once and in order although the broker is down for a while', async () => {
  await logRequests(app, rsyslog.file, listNames('before', 100))
  await arrived('before-99')
  await kafka.stop()
  await logRequests(app, rsyslog.file, listNames('during', 300))
  await suspended()
  await setTimeout(OUTAGE_S * 1_000)
  await logRequests(app, rsyslog.file, listNames('late', 100))
  await kafka.start()
  await logRequests(app, rsyslog.file, listNames('after', 100))
  const { lines, records } = await finish()
  expect(lines.length).toBeGreaterThan(600)
  expect(renderRecords(records)).toEqual(lines)
})

test('each line arrives once and in order although rsyslog restarts', async () => {
  await logRequests(app, rsyslog.file, listNames('before', 100))
  await rsyslog.stop()
  await logRequests(app, rsyslog.file, listNames('meanwhile', 100))
  await rsyslog.start()
  await logRequests(app, rsyslog.file, listNames('after', 100))
  const { lines, records } = await finish()
  expect(renderRecords(records)).toEqual(lines)
})

test('each line arrives once when rsyslog restarts while the broker is down, and only the waiting line is late', async () => {
  await logRequests(app, rsyslog.file, listNames('before', 100))
  await arrived('before-99')
  await kafka.stop()
  await logRequests(app, rsyslog.file, listNames('during', 100))
  await suspended()
  await rsyslog.stop()
  await logRequests(app, rsyslog.file, listNames('meanwhile', 100))
  await rsyslog.start()
  await kafka.start()
  await logRequests(app, rsyslog.file, listNames('after', 100))
  const { lines, records } = await finish()
  const received = renderRecords(records)
  expect([...received].sort()).toEqual([...lines].sort())
  const position = new Map(lines.map((line, index) => [line, index]))
  const backwards = received.filter(
    (line, index) => index > 0 && position.get(line)! < position.get(received[index - 1]!)!,
  )
  expect(backwards.length).toBeLessThan(2)
})

test('a killed rsyslog loses no line, and repeats lines with the same offsets', async () => {
  await logRequests(app, rsyslog.file, listNames('before', 100))
  await arrived('before-99')
  await rsyslog.kill()
  await logRequests(app, rsyslog.file, listNames('meanwhile', 100))
  await rsyslog.start()
  const { lines, records } = await finish()
  expect([...new Set(renderRecords(records))].sort()).toEqual([...lines].sort())
})

test('a text that is not a line of the service arrives as a message', async () => {
  const text = 'FATAL ERROR: "heap"\tout of memory \\ 1'
  appendFileSync(rsyslog.file, `${text}\n`)
  await until(async () => (await kafka.read(topic)).some(({ value }) => value.includes('FATAL')), 60_000)
  const record = (await kafka.read(topic)).map(({ value }) => JSON.parse(value)).find((each) => each.message === text)
  expect(record).toMatchObject({
    '@timestamp': expect.stringMatching(/^\d{4}-/),
    'service.name': 'my-service',
    host: { name: hostname() },
    log: { offset: readFileSync(rsyslog.file, 'utf8').indexOf(text), file: { path: rsyslog.file } },
  })
})

describe('a rotation', () => {
  const write = (from: number, to: number) => {
    for (let n = from; n < to; n++) appendFileSync(rsyslog.file, `${JSON.stringify({ n })}\n`)
  }
  const listNumbers = async () =>
    (await kafka.read(topic)).map(({ value }) => JSON.parse(value).n).filter((n) => n !== undefined)
  const numbered = (n: number) => until(async () => (await listNumbers()).includes(n), 60_000)

  test('by a rename, as supervisord and the kubelet rotate, loses and repeats no line and keeps the order', async () => {
    write(0, 500)
    renameSync(rsyslog.file, `${rsyslog.file}.1`)
    write(500, 1_000)
    await numbered(999)
    renameSync(rsyslog.file, `${rsyslog.file}.1`)
    write(1_000, 1_500)
    await numbered(1_499)
    await rsyslog.stop()
    expect(await listNumbers()).toEqual(Array.from({ length: 1_500 }, (_, n) => n))
  })

  test('by a copy and a truncation loses no line that rsyslog has read, repeats no line and keeps the order', async () => {
    write(0, 500)
    await numbered(499)
    copyFileSync(rsyslog.file, `${rsyslog.file}.1`)
    truncateSync(rsyslog.file)
    write(500, 1_000)
    await numbered(999)
    await rsyslog.stop()
    expect(await listNumbers()).toEqual(Array.from({ length: 1_000 }, (_, n) => n))
  })
})
