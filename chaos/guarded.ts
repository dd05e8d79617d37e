import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startFakeRegistry } from '#pkg/discovery/fakes.ts'
import { endWithThisProcess, freePort, launch, until } from '../scripts/services/service.ts'
import { startFakePayments } from '../test/payments/fake.ts'
import type { createFaultClient } from '../test/support/fault-proxy/client.ts'
import { startIssuer } from '../test/support/issuer.ts'
import { startReceiver } from '../test/support/otlp-receiver.ts'
import { missingTools } from '../test/support/tools.ts'
import { issueCertificates, startTls } from './faults/certificates.ts'

export interface GuardedOptions {
  readonly directory: string
  /** The URL of the migrated database. */
  readonly databaseUrl: string
  /** Dependencies that may be gone are behind its proxies `registry` and `collector`. */
  readonly faults: Pick<ReturnType<typeof createFaultClient>, 'add'>
}

export interface Guarded {
  /** Variables of the experiments. A variable whose fault needs root or a missing tool is absent without it. */
  readonly variables: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** Any address of the loopback network may listen on port 53, the only port that /etc/resolv.conf can express. */
const NAME_SERVER = '127.0.53.53'
const TMPFS = 'size=512k,mode=0777'
const LIBRARY = '/usr/lib/*/faketime/libfaketime.so.1'

/**
 * Starts the instance with the most dependencies: an issuer of tokens behind TLS, a registry, a collector of traces, and
 * an upstream that it finds by name. Its clock is the file `clock`. As root, it has a name server and a small disk for
 * its log: both are mounts of its own, so they end with it.
 */
export async function startGuarded({ directory, databaseUrl, faults }: GuardedOptions): Promise<Guarded> {
  mkdirSync(directory, { recursive: true })
  const path = (name: string) => join(directory, name)
  const isRoot = process.getuid?.() === 0
  const stops: (() => unknown)[] = []

  const issuer = await startIssuer()
  stops.push(issuer.close)
  const stranger = await startIssuer()
  stranger.close()
  const certificates = issueCertificates(directory)
  const tls = await startTls(certificates, Number(new URL(issuer.env['AUTH_JWKS_URL'] ?? '').port))
  stops.push(tls.stop)
  const registry = await startFakeRegistry({ kind: 'consul' })
  stops.push(registry.stop)
  const collector = await startReceiver()
  stops.push(collector.stop)
  const payments = await startFakePayments()
  stops.push(payments.stop)
  const upstreamPort = Number((await faults.add('guarded-payments', `127.0.0.1:${payments.port}`)).split(':')[1])

  const missing = await missingTools(['faketime'], 'faketime')
  if (missing !== undefined) process.stderr.write(`the clock cannot step: ${missing}\n`)
  writeFileSync(path('clock'), '+0\n')
  const [port, adminPort] = [await freePort(), await freePort()]
  const env = {
    ...issuer.env,
    PATH: process.env['PATH'] ?? '',
    HOST: '127.0.0.1',
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    DATABASE_URL: databaseUrl,
    AUTH_JWKS_URL: `${tls.url}/keys`,
    NODE_EXTRA_CA_CERTS: certificates.authority,
    REGISTRY: `consul://${await faults.add('registry', new URL(registry.url).host)}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${await faults.add('collector', `127.0.0.1:${collector.port}`)}`,
    UPSTREAMS: `payments=${isRoot ? 'dns://payments.chaos.internal' : 'http://127.0.0.1'}:${upstreamPort}`,
    FAKETIME_TIMESTAMP_FILE: path('clock'),
    FAKETIME_CACHE_DURATION: '1',
    // The monotonic clock of a machine never steps.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    LOG_FILE: isRoot ? path('disk/app.log') : path('app.log'),
    RESOLV_CONF: path('resolv.conf'),
    DISK: path('disk'),
  }
  const preload = missing === undefined ? `LD_PRELOAD=$(echo ${LIBRARY}) ` : ''
  const program = `${preload}exec '${process.execPath}' '${resolve('dist/server.cjs')}' >"$LOG_FILE"`
  const mounts = `mount --bind "$RESOLV_CONF" /etc/resolv.conf && mount -t tmpfs -o ${TMPFS} tmpfs "$DISK"`
  const command = isRoot ? ['unshare', '--mount', 'sh', '-c', `${mounts} && ${program}`] : ['sh', '-c', program]

  let nameServerPid = 0
  if (isRoot) {
    mkdirSync(path('disk'), { recursive: true })
    writeFileSync(path('resolv.conf'), `nameserver ${NAME_SERVER}\n`)
    const nameServer = await launch({
      command: process.execPath,
      args: [resolve('chaos/faults/name-server.ts'), NAME_SERVER, '53'],
      readyPattern: /ready/,
      logFile: path('name-server.log'),
      stopSignal: 'SIGTERM',
    })
    nameServerPid = nameServer.pid
    stops.push(nameServer.stop)
  }

  const [file = '', ...args] = command
  const child = spawn(file, args, { env, cwd: directory, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  await once(child, 'spawn')
  child.stderr.pipe(createWriteStream(path('errors.log')))
  const guard = endWithThisProcess(child.pid ?? 0, 'SIGTERM')
  const closed = once(child, 'close').then(() => guard.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  await until(
    () =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    60_000,
  )

  const exp = Math.floor(Date.now() / 1_000) + 86_400
  return {
    variables: {
      CHAOS_GUARDED: url,
      CHAOS_GUARDED_ADMIN: `http://127.0.0.1:${adminPort}`,
      CHAOS_GUARDED_PID: String(child.pid),
      ...(missing === undefined && { CHAOS_CLOCK: path('clock') }),
      CHAOS_ISSUER_CURRENT: certificates.current,
      CHAOS_ISSUER_VALID: certificates.valid,
      CHAOS_ISSUER_EXPIRED: certificates.expired,
      CHAOS_TOKEN: await issuer.token({ exp }),
      CHAOS_UNKNOWN_TOKEN: await stranger.token({ exp }),
      ...(isRoot && {
        CHAOS_NAME_SERVER_PID: String(nameServerPid),
        CHAOS_DISK: `/proc/${child.pid}/root${path('disk')}`,
      }),
    },
    async stop() {
      child.kill('SIGCONT')
      child.kill('SIGINT')
      await closed
      for (const stop of stops.toReversed()) await stop()
    },
  }
}
