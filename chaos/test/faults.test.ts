import { spawn } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createFaultClient } from '../../test/support/fault-proxy/client.ts'
import { type FaultProxy, startFaultProxy } from '../../test/support/fault-proxy/start.ts'
import { readValues } from '../../test/support/read-values.ts'
import { succeed } from '../../test/support/run.ts'
import { freePort, type TestService, testPostgres, until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { start } from '../parts/guarded.ts'
import { migrate } from '../stage.ts'

/*
 * These tests prove that each fault reaches the instance. An experiment whose fault has no effect would always pass.
 */

jest.setTimeout(120_000)
const PATIENCE_MS = 60_000

const directory = temporaryDirectory('faults')
let postgres: TestService
let proxy: FaultProxy
let faults: ReturnType<typeof createFaultClient>
let guarded: Awaited<ReturnType<typeof start>>
const variable = (name: string): string => guarded.variables[name] ?? ''

beforeAll(async () => {
  postgres = await testPostgres()
  await migrate(postgres.url)
  proxy = await startFaultProxy()
  faults = createFaultClient(proxy.url)
  guarded = await start({ directory, databaseUrl: postgres.url, faults })
})
afterAll(async () => {
  await guarded?.stop?.()
  await proxy?.stop()
  await postgres?.stop()
})

const ask = (path: string, token = variable('TOKEN')) =>
  fetch(`${variable('GUARDED_URL')}${path}`, { headers: { authorization: `Bearer ${token}` } })

async function health() {
  return (await (await ask('/health')).json()) as {
    readonly timestamp: number
    readonly checks: Readonly<Record<string, { readonly status: string }>>
  }
}

test('the clock of the instance steps back by an hour, and is corrected', async () => {
  const hoursBack = async () => Math.round((Date.now() / 1_000 - (await health()).timestamp) / 3_600)
  writeFileSync(variable('CLOCK_FILE'), '-1h\n')
  await until(async () => (await hoursBack()) === 1, PATIENCE_MS)
  writeFileSync(variable('CLOCK_FILE'), '+0\n')
  await until(async () => (await hoursBack()) === 0, PATIENCE_MS)
})

test('the instance rejects the expired certificate of the issuer, and accepts the renewed certificate', async () => {
  const unknown = variable('UNKNOWN_TOKEN')
  const status = async () => (await ask('/v1/notes', unknown)).status
  copyFileSync(variable('CERTIFICATE_EXPIRED'), variable('CERTIFICATE_CURRENT'))
  await until(async () => (await status()) === 503, PATIENCE_MS)
  copyFileSync(variable('CERTIFICATE_VALID'), variable('CERTIFICATE_CURRENT'))
  await until(async () => (await status()) === 401, PATIENCE_MS)
})

test('the instance notices that the registry is gone, and that it is back', async () => {
  const status = async () => (await health()).checks['registry']?.status
  await faults.enable('registry', false)
  await until(async () => (await status()) === 'fail', PATIENCE_MS)
  await faults.enable('registry', true)
  await until(async () => (await status()) === 'ok', PATIENCE_MS)
})

test('the instance loses the spans of its requests while the collector is gone', async () => {
  const lost = async () => {
    const text = await (await fetch(`${variable('GUARDED_ADMIN_URL')}/metrics`)).text()
    return Object.values(readValues(text, 'otel_sdk_exporter_span_dropped_total')).reduce((sum, each) => sum + each, 0)
  }
  await faults.enable('collector', false)
  const before = await lost()
  await ask('/ping')
  await until(async () => (await lost()) > before, PATIENCE_MS)
  await faults.enable('collector', true)
})

test('the scrapes hang in mid-response: the kernel holds bytes that the scrapers do not read', async () => {
  const admin = new URL(variable('GUARDED_ADMIN_URL'))
  const port = Number(admin.port).toString(16).toUpperCase().padStart(4, '0')
  const waiting = new RegExp(`^ *\\d+: 0100007F:${port} \\w+:\\w+ 01 (?!0{8}:)`, 'gm')
  const scrapers = spawn('node', ['chaos/faults/scrapers.ts', '3', `${admin.origin}/metrics`, '60'])
  await until(async () => readFileSync('/proc/net/tcp', 'utf8').match(waiting)?.length === 3, PATIENCE_MS)
  scrapers.kill()
  await once(scrapers, 'close')
})

const isRoot = process.getuid?.() === 0
const message = 'not root: the full disk and the name server that hangs are not tested\n'
if (!isRoot && process.env['CI'] === 'true') throw new Error(message)
if (!isRoot) process.stderr.write(message)

describe('as root', () => {
  const testAsRoot = isRoot ? test : test.skip
  const log = () => join(variable('DISK'), 'app.log')

  testAsRoot('the log finds no room on a full disk, and has every line when the disk is free', async () => {
    const program = (action: string) => succeed('node', ['chaos/faults/disk.ts', action, variable('DISK')])
    await program('fill')
    // The last page of the file may have some room.
    for (let count = 0; count < 20; count++) await ask('/ping')
    const { size } = statSync(log())
    const { headers } = await ask('/ping')
    expect(statSync(log()).size).toBe(size)
    await program('free')
    const id = headers.get('x-request-id') ?? ''
    await until(() => readFileSync(log(), 'utf8').includes(id), PATIENCE_MS)
  })

  testAsRoot('the instance cannot resolve its upstream while the name server hangs', async () => {
    const count = () => readFileSync(log(), 'utf8').split('"upstream not resolved"').length
    await until(async () => (await health()).checks['upstream-payments']?.status === 'ok', PATIENCE_MS)
    const before = count()
    process.kill(Number(variable('NAME_SERVER_PID')), 'SIGSTOP')
    try {
      await until(() => count() > before, PATIENCE_MS)
    } finally {
      process.kill(Number(variable('NAME_SERVER_PID')), 'SIGCONT')
    }
  })
})

test('the name server responds to A queries with the loopback address, and has no other records', async () => {
  const port = await freePort()
  const server = spawn('node', ['chaos/faults/name-server.ts', '127.0.0.1', String(port)])
  await once(server.stdout, 'data')
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${port}`])
  expect(await resolver.resolve4('payments.chaos.internal')).toEqual(['127.0.0.1'])
  await expect(resolver.resolve6('payments.chaos.internal')).rejects.toMatchObject({ code: 'ENODATA' })
  server.kill()
})

/** Returns the CPU time in hundredths of a second, and the memory in pages. */
function readUsage(pid: number | undefined) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').map(Number) ?? []
  return { cpu: fields[11] ?? 0, pages: fields[21] ?? 0 }
}

test.each([
  ['cpu', ({ cpu }: ReturnType<typeof readUsage>) => cpu >= 200],
  ['memory', ({ pages }: ReturnType<typeof readUsage>) => pages >= 50_000],
])('the pressure uses %s', async (kind, isUsed) => {
  const pressure = spawn('node', ['chaos/faults/pressure.ts', kind, '60'])
  await once(pressure, 'spawn')
  await until(() => isUsed(readUsage(pressure.pid)), PATIENCE_MS)
  pressure.kill()
  await once(pressure, 'close')
})

test('the pressure ends after its time', async () => {
  expect(await succeed('node', ['chaos/faults/pressure.ts', 'cpu', '0.2'])).toBe('')
})
