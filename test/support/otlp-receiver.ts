import { createServer, type IncomingHttpHeaders } from 'node:http'
import { json } from 'node:stream/consumers'
import { listen } from './listen.ts'
import { until } from './services.ts'

type Value = string | number | boolean

/** A span as a collector receives it. */
export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly status: { readonly code?: number }
  readonly startTimeUnixNano: bigint
  readonly endTimeUnixNano: bigint
  readonly attributes: Readonly<Record<string, Value>>
  readonly resource: Readonly<Record<string, Value>>
}

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, Value>>
}

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly Record<string, unknown>[] }[]
  }[]
}

/** `ok` accepts the spans, `hang` never responds, and any other behaviour is a response. */
export type Behaviour = 'ok' | 'hang' | { readonly status: number; readonly body: string }

const toRecord = (attributes: readonly Attribute[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      'intValue' in value ? Number(value['intValue']) : Object.values(value)[0]!,
    ]),
  )

export type Receiver = Awaited<ReturnType<typeof startReceiver>>

/** Starts a collector that keeps the spans in memory. */
export async function startReceiver(port = 0) {
  const spans: ReceivedSpan[] = []
  const requests: { readonly path: string | undefined; readonly headers: IncomingHttpHeaders }[] = []
  let behaviour: Behaviour = 'ok'
  const server = createServer(async (request, response) => {
    requests.push({ path: request.url, headers: request.headers })
    const body = (await json(request)) as Body
    if (behaviour === 'hang') return
    if (behaviour !== 'ok') return void response.writeHead(behaviour.status).end(behaviour.body)
    for (const { resource, scopeSpans } of body.resourceSpans) {
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
        spans.push({
          ...span,
          startTimeUnixNano: BigInt(String(span['startTimeUnixNano'])),
          endTimeUnixNano: BigInt(String(span['endTimeUnixNano'])),
          attributes: toRecord(span['attributes'] as Attribute[]),
          resource: toRecord(resource.attributes),
        } as unknown as ReceivedSpan)
      }
    }
    response.setHeader('content-type', 'application/json').end('{}')
  })
  return {
    ...(await listen(server, port)),
    spans,
    requests,
    behave(next: Behaviour) {
      behaviour = next
    },
    /** Waits until a span matches. */
    async span(matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
      await until(() => spans.some(matches))
      return spans.find(matches) as ReceivedSpan
    },
  }
}
