import { join, resolve } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { buildGoProgram } from '../../test/support/install.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

/** Builds Jaeger. Resolves with the path of the program, or with the reason for the failure of the build. */
export async function buildJaeger(): Promise<{ readonly program: string } | { readonly obstacle: string }> {
  try {
    return { program: await buildGoProgram('deploy/tracing/jaeger', 'github.com/jaegertracing/jaeger/cmd/jaeger') }
  } catch (error) {
    return { obstacle: String(error) }
  }
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
