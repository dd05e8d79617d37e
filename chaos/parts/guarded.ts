import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startFakeRegistry } from '#pkg/discovery/fakes.ts'
import { endWithThisProcess, freePort, launch, until } from '../../scripts/services/service.ts'
import { startFakePayments } from '../../test/payments/fake.ts'
import { startIssuer } from '../../test/support/issuer.ts'
import type { Line } from '../../test/support/log-fields.ts'
import { startReceiver } from '../../test/support/otlp-receiver.ts'
import { missingTools } from '../../test/support/tools.ts'
import { issueCertificates, startTls } from '../faults/certificates.ts'
import type { Env, Part, PartContext } from '../stage.ts'

/** An address of the loopback network, because /etc/resolv.conf cannot express a port other than 53. */
const NAME_SERVER = `127.53.${(process.pid >> 8) % 256}.${1 + (process.pid % 250)}`

/** Debian's library. The shell expands the pattern. */
const FAKE_TIME = '/usr/lib/*/faketime/libfaketime.so.1'

/** A dependency of the instance, with the variables that an experiment needs to break it. */
interface Dependency {
  /** The environment of the instance. */
  readonly env: Env
  /** The variables of the experiments. */
  readonly variables?: Env
  stop?(): unknown
}

/** Starts an issuer. Its certificate expires when an experiment copies CERTIFICATE_EXPIRED to CERTIFICATE_CURRENT. */
async function startAccess({ directory }: PartContext): Promise<Dependency> {
  const [issuer, stranger] = [await startIssuer(), await startIssuer()]
  stranger.close()
  const certificates = issueCertificates(directory)
  const tls = await startTls(certificates, Number(new URL(issuer.env['AUTH_JWKS_URL'] ?? '').port))
  const exp = Math.floor(Date.now() / 1_000) + 86_400
  return {
    env: { ...issuer.env, AUTH_JWKS_URL: `${tls.url}/keys`, NODE_EXTRA_CA_CERTS: certificates.authority },
    variables: {
      CERTIFICATE_CURRENT: certificates.current,
      CERTIFICATE_VALID: certificates.valid,
      CERTIFICATE_EXPIRED: certificates.expired,
      TOKEN: await issuer.token({ exp }),
      UNKNOWN_TOKEN: await stranger.token({ exp }),
    },
    stop() {
      tls.stop()
      issuer.close()
    },
  }
}

/** The registry and the collector are behind the proxies `registry` and `collector`. */
async function startRemote({ faults }: PartContext): Promise<Dependency> {
  const [registry, collector] = [await startFakeRegistry({ kind: 'consul' }), await startReceiver()]
  return {
    env: {
      REGISTRY: `consul://${await faults.add('registry', new URL(registry.url).host)}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${await faults.add('collector', `127.0.0.1:${collector.port}`)}`,
    },
    async stop() {
      await registry.stop()
      await collector.stop()
    },
  }
}

/** An upstream behind the proxy `guarded-payments`. As root, it has a name, and SIGSTOP hangs its name server. */
async function startUpstream({ directory, faults }: PartContext, isRoot: boolean): Promise<Dependency> {
  const payments = await startFakePayments()
  const address = await faults.add('guarded-payments', `127.0.0.1:${payments.port}`)
  if (!isRoot) return { env: { UPSTREAMS: `payments=http://${address}` }, stop: payments.stop }
  const nameServer = await launch({
    command: process.execPath,
    args: [resolve('chaos/faults/name-server.ts'), NAME_SERVER, '53'],
    readyPattern: /ready/,
    logFile: join(directory, 'name-server.log'),
    stopSignal: 'SIGTERM',
  })
  return {
    env: { UPSTREAMS: `payments=dns://payments.chaos.internal:${address.split(':')[1]}` },
    variables: { NAME_SERVER_PID: String(nameServer.pid) },
    async stop() {
      await nameServer.stop()
      await payments.stop()
    },
  }
}

/** The offset of the instance's clock is the text in CLOCK_FILE. A step leaves the monotonic clock alone. */
async function startClock({ directory }: PartContext): Promise<Dependency> {
  const missing = await missingTools(['faketime'], 'faketime')
  if (missing !== undefined) {
    process.stderr.write(`the clock cannot step: ${missing}\n`)
    return { env: {} }
  }
  const file = join(directory, 'clock')
  writeFileSync(file, '+0\n')
  const fakeTime = { FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  return { env: { ...fakeTime, FAKE_TIME, FAKETIME_TIMESTAMP_FILE: file }, variables: { CLOCK_FILE: file } }
}

/** Returns the lines of a file that grows. Each call reads the new part of the file. */
function followLog(path: string): () => readonly Line[] {
  const lines: Line[] = []
  const file = openSync(path, 'r')
  const chunk = Buffer.alloc(65_536)
  let rest = ''
  return () => {
    for (let bytes = readSync(file, chunk); bytes > 0; bytes = readSync(file, chunk)) {
      const texts = (rest + chunk.toString('utf8', 0, bytes)).split('\n')
      rest = texts.pop() ?? ''
      lines.push(...texts.map((text) => JSON.parse(text) as Line))
    }
    return lines
  }
}

/**
 * Starts the instance with the most dependencies, at GUARDED_URL. As root, it has an /etc/resolv.conf of its own, and a
 * disk of 32 MiB for its log at DISK. Both are mounts that end with its process. A variable whose fault needs root or a
 * missing tool is unset.
 */
export async function start(context: PartContext): Promise<Part & { readonly variables: Env }> {
  const { directory, databaseUrl } = context
  const path = (name: string) => join(directory, name)
  const isRoot = process.getuid?.() === 0
  const dependencies = [
    await startAccess(context),
    await startRemote(context),
    await startUpstream(context, isRoot),
    await startClock(context),
  ]
  const [port, adminPort] = [await freePort(), await freePort()]
  mkdirSync(path('disk'))
  writeFileSync(path('resolv.conf'), `nameserver ${NAME_SERVER}\n`)
  const env = Object.assign(
    { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(port), ADMIN_PORT: String(adminPort) },
    { DATABASE_URL: databaseUrl, NODE: process.execPath, PROGRAM: resolve('dist/server.cjs'), DIRECTORY: directory },
    ...dependencies.map((each) => each.env),
  )
  const program = '[ -z "$FAKE_TIME" ] || export LD_PRELOAD=$(echo $FAKE_TIME); exec "$NODE" "$PROGRAM" >disk/app.log'
  const mounts = 'mount --bind resolv.conf /etc/resolv.conf && mount -t tmpfs -o size=32m,mode=0700 tmpfs disk'
  const child = isRoot
    ? spawn('unshare', ['--mount', 'sh', '-c', `${mounts} && ${program}`], { env, cwd: directory, detached: true })
    : spawn('sh', ['-c', program], { env, cwd: directory, detached: true })
  await once(child, 'spawn')
  child.stderr.pipe(createWriteStream(path('errors.log')))
  const guard = endWithThisProcess(child.pid ?? 0, 'SIGTERM')
  const closed = once(child, 'close').then(() => guard.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  const isReady = async () => (await fetch(`${url}/health/ready`)).ok
  await until(() => isReady().catch(() => false), 60_000)
  const disk = isRoot ? `/proc/${child.pid}/root${path('disk')}` : path('disk')
  return {
    variables: Object.assign(
      { GUARDED_URL: url, GUARDED_ADMIN_URL: `http://127.0.0.1:${adminPort}`, GUARDED_PID: String(child.pid) },
      isRoot ? { DISK: disk } : {},
      ...dependencies.map(({ variables = {} }) => variables),
    ),
    lines: followLog(join(disk, 'app.log')),
    async stop() {
      child.kill('SIGINT')
      await closed
      for (const { stop } of dependencies) await stop?.()
    },
  }
}
