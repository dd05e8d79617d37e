import type { Sink, Watch } from '#pkg/bridge/index.ts'
import type { Sources } from '#pkg/metrics/index.ts'

type Operation = 'read' | 'publish' | 'save'

interface Count {
  ok: number
  fail: number
  /** Time of the last success, in seconds since the epoch. Undefined before the first success. */
  succeededAt: number | undefined
}

/** Lists the metrics of `app bridge` (docs/metrics.md), and returns functions that count its operations. */
export function createBridgeMetrics({ counter, gauge }: Sources) {
  const create = (): Count => ({ ok: 0, fail: 0, succeededAt: undefined })
  const counts: Readonly<Record<Operation, Count>> = { read: create(), publish: create(), save: create() }
  let instances = 0

  counter(
    'bridge_operations_total',
    'Requests to the registry, publications and saves of the list by their result.',
    () =>
      Object.entries(counts).flatMap(([operation, { ok, fail }]) => [
        { labels: { operation, result: 'ok' }, value: ok },
        { labels: { operation, result: 'fail' }, value: fail },
      ]),
  )
  gauge('bridge_last_success_timestamp_seconds', 'Time of the last success.', () =>
    Object.entries(counts).flatMap(([operation, { succeededAt }]) =>
      succeededAt === undefined ? [] : [{ labels: { operation }, value: succeededAt }],
    ),
  )
  gauge('bridge_instances', 'Instances in the list that the bridge has published last.', () => instances)

  function succeed(operation: Operation): void {
    counts[operation].ok++
    counts[operation].succeededAt = Date.now() / 1e3
  }

  return {
    /** Counts the responses and the failures of a registry. */
    measureWatch:
      (watch: Watch): Watch =>
      (onInstances, onError, signal) => {
        const onList: typeof onInstances = (list) => {
          succeed('read')
          onInstances(list)
        }
        const onFailure: typeof onError = (error) => {
          counts.read.fail++
          onError(error)
        }
        return watch(onList, onFailure, signal)
      },
    /** Counts the publications of a proxy (`publish`) or of the file with the last good list (`save`). */
    measureSink: <T extends Sink>(operation: 'publish' | 'save', sink: T): T => ({
      ...sink,
      async publish(endpoints) {
        try {
          await sink.publish(endpoints)
        } catch (error) {
          counts[operation].fail++
          throw error
        }
        succeed(operation)
        if (operation === 'publish') instances = endpoints.length
      },
    }),
  }
}
