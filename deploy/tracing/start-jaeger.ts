import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { findOnPath } from '../../scripts/services/path.ts'
import { freePort, launch } from '../../scripts/services/service.ts'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

const MODULE = 'deploy/tracing/jaeger'
const COMMAND = 'github.com/jaegertracing/jaeger/cmd/jaeger'

/**
 * Builds Jaeger in the user's cache, once for each go.sum. The build takes some minutes. Resolves with the path of the
 * program, or with the reason for the failure of the build.
 */
export async function buildJaeger(): Promise<{ readonly program: string } | { readonly obstacle: string }> {
  const key = createHash('sha256')
    .update(readFileSync(`${MODULE}/go.sum`))
    .digest('hex')
    .slice(0, 12)
  const cache = join(homedir(), '.cache/jaeger-test')
  const program = join(cache, key)
  if (existsSync(program)) return { program }
  const go = findOnPath('go')
  if (go === undefined) return { obstacle: 'Go is not installed.' }
  mkdirSync(cache, { recursive: true })
  const directory = mkdtempSync(join(cache, 'new-'))
  try {
    process.stderr.write(`building ${COMMAND}, which takes some minutes\n`)
    const output = join(directory, 'jaeger')
    // -mod=readonly: the sums in go.sum pin every module.
    const args = ['-C', MODULE, 'build', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', output, COMMAND]
    const { code, stderr } = await run(go, args, { env: { CGO_ENABLED: '0' } })
    if (code !== 0) return { obstacle: `The build of Jaeger failed:\n${stderr.slice(-2_000)}` }
    // Another test run may have built Jaeger meanwhile.
    if (!existsSync(program)) renameSync(output, program)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return { program }
}

export interface JaegerSpan {
  readonly traceID: string
  readonly spanID: string
  readonly operationName: string
  readonly references: readonly { readonly refType: string; readonly spanID: string }[]
  readonly tags: readonly { readonly key: string; readonly value: unknown }[]
  readonly processID: string
}

export interface JaegerTrace {
  readonly spans: readonly JaegerSpan[]
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>
}

/** Starts Jaeger with the configuration of this folder, on free ports. */
export async function startJaeger(program: string) {
  const [otlp, query, grpc] = [await freePort(), await freePort(), await freePort()]
  const env = {
    JAEGER_OTLP: `127.0.0.1:${otlp}`,
    JAEGER_QUERY: `127.0.0.1:${query}`,
    JAEGER_QUERY_GRPC: `127.0.0.1:${grpc}`,
  }
  const running = await launch({
    command: program,
    args: ['--config', resolve('deploy/tracing/jaeger.yaml')],
    spawnOptions: { env },
    readyPattern: /Everything is ready/,
    logFile: join(temporaryDirectory('jaeger'), 'jaeger.log'),
    stopSignal: 'SIGTERM',
  })
  const url = `http://127.0.0.1:${query}`
  async function find(path: string): Promise<JaegerTrace[]> {
    const response = await fetch(`${url}/api/traces${path}`)
    const { data } = (await response.json()) as { readonly data: JaegerTrace[] | null }
    return data ?? []
  }
  return {
    /** The endpoint for OTLP over HTTP. */
    endpoint: `http://127.0.0.1:${otlp}`,
    /** Finds the trace with this id. */
    trace: async (traceId: string): Promise<JaegerTrace | undefined> => (await find(`/${traceId}`))[0],
    /** Finds the traces of a service that have a span with these tags. */
    search: (service: string, tags: Readonly<Record<string, string>>) =>
      find(`?${new URLSearchParams({ service, tags: JSON.stringify(tags), limit: '20' })}`),
    stop: () => running.stop(),
  }
}
