import { existsSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { listCores, readTreeCpuMs } from '../test/support/cpu.ts'
import { readValues } from '../test/support/read-values.ts'
import type { Evidence, Target } from './evidence.ts'

const INTERVAL_MS = 500

const hasProc = existsSync('/proc/self/stat')

/** The metrics of one instance at one time. */
interface Scrape {
  readonly atMs: number
  /** Returns the sum of the values whose labels contain the text. Undefined without a series. */
  read(name: string, label?: string): number | undefined
}

/** Reads the metrics of one instance. @throws when the response is not 200, as for a wrong path */
export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url}: status ${response.status}`)
  const text = await response.text()
  return {
    atMs: performance.now(),
    read(name, label = '') {
      const values = Object.entries(readValues(text, name)).filter(([labels]) => labels.includes(label))
      return values.length === 0 ? undefined : sum(values.map(([, value]) => value))
    },
  }
}

const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0)
const mean = (values: readonly number[]) => (values.length === 0 ? 0 : sum(values) / values.length)

/** Returns the busy and the total time of the cores of this process. The kernel counts both in ticks. */
function readMachine(): { readonly busy: number; readonly total: number } {
  const stat = readFileSync('/proc/stat', 'latin1')
  const rows = listCores().map((core) => {
    const [, times = ''] = new RegExp(`^cpu${core} (.*)$`, 'm').exec(stat) ?? []
    // user, nice, system, idle, iowait, irq, softirq, steal
    return times.split(' ').map(Number).slice(0, 8)
  })
  const total = sum(rows.flat())
  return { total, busy: total - sum(rows.map(([, , , idle = 0, iowait = 0]) => idle + iowait)) }
}

const ACTIVITY = `select coalesce(wait_event_type || ':' || wait_event, 'CPU') as activity, count(*)::int as count
  from pg_stat_activity
  where backend_type = 'client backend' and state in ('active', 'idle in transaction') and pid <> pg_backend_pid()
  group by 1`

export interface Watch extends AsyncDisposable {
  /** Resolves with a function that returns the evidence since the start. It needs the lag of the generator. */
  stop(): Promise<(lagMs: number) => Evidence>
}

/** Starts to gather evidence about a target and the generator. */
export async function startWatch(target: Target, generatorPid: number): Promise<Watch> {
  const { metrics = [], processes = [], databaseUrl } = target
  const client = databaseUrl === undefined ? undefined : new pg.Client({ connectionString: databaseUrl })
  // The sampling rejects with the error of a broken connection.
  client?.on('error', () => {})
  await client?.connect()
  const scrapes: Scrape[][] = []
  const activities: Record<string, number>[] = []

  async function sample(): Promise<void> {
    scrapes.push(await Promise.all(metrics.map(scrape)))
    if (client === undefined) return
    const { rows } = await client.query<{ activity: string; count: number }>(ACTIVITY)
    activities.push(Object.fromEntries(rows.map(({ activity, count }) => [activity, count])))
  }

  const pids = [...processes.map(({ pid }) => pid), generatorPid]
  const readAll = () =>
    hasProc ? { atMs: performance.now(), cpuMs: pids.map(readTreeCpuMs), machine: readMachine() } : undefined

  await sample()
  // The scrape is the baseline of the counters. Drop its activity, which may be from before the load.
  activities.length = 0
  const before = readAll()
  const stopping = new AbortController()
  const sampling = (async () => {
    while (!stopping.signal.aborted) {
      await setTimeout(INTERVAL_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
      await sample()
    }
  })()
  // `end` reports the rejection.
  sampling.catch(() => undefined)
  let ended: Promise<void> | undefined
  function end(): Promise<void> {
    stopping.abort()
    ended ??= sampling.finally(() => client?.end())
    return ended
  }

  async function stop(): Promise<(lagMs: number) => Evidence> {
    const after = readAll()
    await end()
    const use = (index: number) =>
      before && after && ((after.cpuMs[index] ?? 0) - (before.cpuMs[index] ?? 0)) / (after.atMs - before.atMs)
    const generatorCpu = use(processes.length)
    return (lagMs) => ({
      generator: { lagMs, ...(generatorCpu !== undefined && { cpu: generatorCpu }) },
      ...(before &&
        after && {
          processes: processes.map(({ name, kind }, index) => ({ name, kind, cpu: use(index) ?? 0 })),
          machine: {
            cores: listCores().length,
            busy: (after.machine.busy - before.machine.busy) / (after.machine.total - before.machine.total),
          },
        }),
      ...(metrics.length > 0 && readMetrics(scrapes)),
      ...(activities.length > 0 && { database: averageOf(activities) }),
    })
  }

  return { stop, [Symbol.asyncDispose]: () => end().catch(() => undefined) }
}

function averageOf(samples: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(samples.flatMap((each) => Object.keys(each)))
  return Object.fromEntries([...names].map((name) => [name, mean(samples.map((each) => each[name] ?? 0))]))
}

/** @param scrapes samples in order, each with the scrapes of all instances */
function readMetrics(scrapes: readonly (readonly Scrape[])[]): Partial<Evidence> {
  const [first = []] = scrapes
  const last = scrapes.at(-1) ?? []
  // The gauges of the first scrape describe the time before the load.
  const during = scrapes.slice(1)
  const has = (name: string) => last.some(({ read }) => read(name) !== undefined)
  /** Returns the growth of a counter by instance. */
  const growths = (name: string, label?: string) =>
    last.map(({ read }, index) => (read(name, label) ?? 0) - (first[index]?.read(name, label) ?? 0))
  const growth = (name: string, label?: string) => sum(growths(name, label))
  const seconds = last.map(({ atMs }, index) => (atMs - (first[index]?.atMs ?? atMs)) / 1_000)
  /** Returns the sum over the instances in each sample. */
  const totals = (name: string, label?: string) =>
    during.map((instances) => sum(instances.map(({ read }) => read(name, label) ?? 0)))
  const active = growths('nodejs_eventloop_time_seconds_total', 'nodejs_eventloop_state="active"')
  const delays = during.flat().map(({ read }) => read('nodejs_eventloop_delay_p99_seconds') ?? 0)
  const database = 'db_client_connection_pool_name="database"'
  return {
    ...(has('nodejs_eventloop_time_seconds_total') && {
      loop: {
        utilization: Math.max(...active.map((busyS, index) => busyS / (seconds[index] ?? Number.NaN))),
        delayMs: 1_000 * Math.max(0, ...delays),
      },
    }),
    ...(has('db_client_connection_pending_requests') && {
      pool: {
        used: mean(totals('db_client_connections', `${database},db_client_connection_state="used"`)),
        open: mean(totals('db_client_connections', database)),
        // Little's law: the time that all operations have waited, for each second.
        pending: sum(
          growths('db_client_connection_wait_time_seconds_sum').map((waitS, index) => waitS / (seconds[index] ?? 1)),
        ),
        timeouts: growth('db_client_connection_timeouts_total'),
      },
    }),
    ...(has('overload_brownout') && {
      admission: {
        refused: growth('overload_refused_requests_total'),
        isBrownout: totals('overload_brownout').some((count) => count > 0),
      },
    }),
    ...(has('http_client_active_requests') && {
      upstream: {
        inFlight: Math.max(0, ...totals('http_client_active_requests')),
        rejectedByConcurrency: growth('upstream_rejected_calls_total', 'reason="concurrency"'),
      },
    }),
  }
}
