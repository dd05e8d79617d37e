import { Agent } from 'node:http'
import { percentile } from './open-loop.ts'
import { send } from './send.ts'

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
  const { hostname: host, port, pathname: path } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  const statuses: Record<number, number> = {}
  const underWay = new Set<Promise<void>>()

  async function probe(): Promise<void> {
    const startedAt = performance.now()
    const { status } = await send({ host, port, path, agent })
    statuses[status] = (statuses[status] ?? 0) + 1
    latencies.push(performance.now() - startedAt)
  }

  const timer = setInterval(() => {
    const done = probe().finally(() => underWay.delete(done))
    underWay.add(done)
  }, intervalMs)
  return {
    async stop(): Promise<ProbeReport> {
      clearInterval(timer)
      await Promise.all(underWay)
      agent.destroy()
      return { count: latencies.length, statuses, p99Ms: percentile(latencies, 99) }
    },
  }
}
