import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { findLines, killApps, type RunningApp } from '../../test/support/app.ts'
import { type Alerting, startAlerting } from '../../test/support/deploy/start-alerting.ts'
import { listen } from '../../test/support/listen.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'

/*
 * Prometheus and Alertmanager watch a stand-in for an instance of a service whose replicas share 1.4 cores of work. The
 * responder adds replicas with a stand-in for kubectl. The CPU usage is far above the limit, then far below it, because
 * a busy machine delays scrapes.
 */
jest.setTimeout(180_000)

const WORK_CORES = 1.4

const directory = temporaryDirectory('respond-cpu')
const path = (name: string) => join(directory, name)
const replicas = () => Number(readFileSync(path('replicas'), 'utf8'))

/** `kubectl get` prints the number of replicas, and `kubectl scale` sets it. */
const KUBECTL = `#!/bin/sh
echo "$*" >>"$0.log"
for arg; do case $arg in --replicas=*) echo "\${arg#*=}" >"\${0%/*}/replicas" ;; esac; done
case $1 in get) cat "\${0%/*}/replicas" ;; esac
`

let cpuSeconds = 0
let readAt = performance.now()

/**
 * Returns the CPU time of the instance. Each call adds the share of the work that one replica has done since the last
 * call.
 */
function readCpuSeconds(): number {
  const now = performance.now()
  cpuSeconds += (((now - readAt) / 1e3) * WORK_CORES) / replicas()
  readAt = now
  return cpuSeconds
}

let instance: Awaited<ReturnType<typeof listen>>
let alerting: Alerting
let responder: RunningApp

beforeAll(async () => {
  await needTools(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager')
  writeFileSync(path('replicas'), '1')
  writeFileSync(path('kubectl'), KUBECTL)
  chmodSync(path('kubectl'), 0o755)
  writeFileSync(path('settings.json'), '{}')
  const server = createServer((_req, res) => {
    res.setHeader('content-type', 'text/plain; version=0.0.4').end(`process_cpu_seconds_total ${readCpuSeconds()}\n`)
  })
  instance = await listen(server)
  alerting = await startAlerting({
    directory,
    targets: [`127.0.0.1:${instance.port}`],
    alerts: readFileSync(join(import.meta.dirname, 'alerts.yml'), 'utf8').replace('for: 5m', 'for: 2s'),
    times: { scrape: '1s', window: '8s', for: '2s', repeat: '1s' },
  })
  responder = await alerting.startResponder({
    PATH: `${directory}:${process.env['PATH']}`,
    RESPONDER_RULES: join(import.meta.dirname, 'rules.json'),
    UPSTREAMS: 'payments=http://127.0.0.1:1',
    SETTINGS_FILE: path('settings.json'),
  })
}, 300_000)

// The hook of `temporaryDirectory` runs before `afterAll` and removes the file that each scrape reads.
afterEach(() => instance?.stop())
afterAll(async () => {
  await alerting?.stop()
  await killApps()
})

test('CPU usage above 90 % adds two replicas once, and the signal recovers', async () => {
  const fields = { 'App.respond.alert': 'CpuUsageHigh', 'App.respond.rule': 'cpu-usage' }
  expect(await responder.line({ message: 'action started' })).toMatchObject({
    ...fields,
    'App.respond.action': 'scale',
    'App.respond.target': 'default/my-service',
  })
  expect(await responder.line({ message: 'action performed' })).toMatchObject(fields)
  expect(replicas()).toBe(3)
  expect(await responder.line({ message: 'signal recovered' })).toMatchObject(fields)
  expect(readFileSync(path('kubectl.log'), 'utf8').trim().split('\n')).toEqual([
    'get --namespace default deployment/my-service --output=jsonpath={.spec.replicas}',
    'scale --namespace default deployment/my-service --current-replicas=1 --replicas=3',
  ])
  expect(findLines(responder, 'action started')).toHaveLength(1)
})
