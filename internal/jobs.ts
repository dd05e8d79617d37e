import type { JobEvent, JobOptions } from '#pkg/jobs/index.ts'
import type { Part } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Sources } from '#pkg/metrics/index.ts'
import type { Postgres } from './store/postgres.ts'
import { createJobMetrics } from './telemetry/job-metrics.ts'
import { logEvent } from './telemetry/log-events.ts'

type Job = Omit<JobOptions, 'leases' | 'onEvent'>

/** The periodic jobs of the service. One instance at a time runs each job (docs/cookbook.md). */
const JOBS: readonly ((db: Postgres['db']) => Job)[] = []

export interface JobsDeps {
  readonly db: Postgres['db']
  readonly logger: Logger
  /** @default no metrics */
  readonly sources?: Sources | undefined
}

/** Creates the part of the lifecycle that runs the periodic jobs. They need a database. */
export async function createJobs({ db, logger, sources }: JobsDeps): Promise<Part> {
  if (JOBS.length === 0) return { name: 'jobs' }
  const { createJob, STOP_TIMEOUT_MS } = await import('#pkg/jobs/index.ts')
  const { createJobLeases } = await import('./store/job-leases.ts')
  const leases = createJobLeases(db)
  const measure = sources && createJobMetrics(sources)
  const onEvent = (event: JobEvent) => {
    logJob(logger, event)
    measure?.(event)
  }
  const jobs = JOBS.map((describe) => createJob({ ...describe(db), leases, onEvent }))
  return {
    name: 'jobs',
    start() {
      for (const job of jobs) job.start()
    },
    drain() {
      for (const job of jobs) job.drain()
    },
    stop: (deadline) => Promise.all(jobs.map((job) => job.stop(deadline))),
    stopTimeoutMs: STOP_TIMEOUT_MS,
  }
}

function logJob(logger: Logger, event: JobEvent) {
  const fields = { 'App.job.name': event.job, ...('err' in event && { err: event.err }) }
  switch (event.type) {
    case 'run started':
      return logEvent(logger, 'debug', 'job started', fields)
    case 'run ended': {
      const isExpected = event.result === 'ok' || event.result === 'stopped'
      const outcome = { 'App.job.result': event.result, 'event.duration': Math.round(event.durationMs * 1e6) }
      return logEvent(logger, isExpected ? 'info' : 'error', 'job ended', { ...fields, ...outcome })
    }
    case 'leases unavailable':
      return logEvent(logger, 'warn', 'job leases unavailable', fields)
    case 'leases available':
      return logEvent(logger, 'info', 'job leases available', fields)
  }
}
