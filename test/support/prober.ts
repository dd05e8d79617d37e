import { Agent, get } from 'node:http'

export interface ProbeReport {
  readonly count: number
  /** The number of responses by status. Status 0 counts requests without a response. */
  readonly statuses: Readonly<Record<number, number>>
  readonly p99Ms: number
}

/**
 * Requests one URL at an interval over keep-alive connections, like an orchestrator. With one connection, a probe waits
 * for the response to the previous probe.
 */
export function startProber(url: string, intervalMs = 5, connections = 1) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  const statuses: Record<number, number> = {}
  const underWay = new Set<Promise<void>>()

  function probe(): void {
    const startedAt = performance.now()
    const done = new Promise<void>((resolve) => {
      const record = (status: number) => {
        statuses[status] = (statuses[status] ?? 0) + 1
        latencies.push(performance.now() - startedAt)
        resolve()
      }
      get(url, { agent }, (response) => response.resume().once('end', () => record(response.statusCode ?? 0))).once(
        'error',
        () => record(0),
      )
    }).finally(() => underWay.delete(done))
    underWay.add(done)
  }

  const timer = setInterval(probe, intervalMs)
  return {
    async stop(): Promise<ProbeReport> {
      clearInterval(timer)
      await Promise.all(underWay)
      agent.destroy()
      const sorted = latencies.sort((a, b) => a - b)
      return { count: sorted.length, statuses, p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0 }
    },
  }
}
