import type { JobEvent, JobResult } from '#pkg/jobs/index.ts'
import type { Sources } from '#pkg/metrics/index.ts'

/** Returns a function that counts the runs of this instance. */
export function createJobMetrics({ counter, gauge }: Sources): (event: JobEvent) => void {
  const runs = new Map<string, Map<JobResult, number>>()
  const succeededAt = new Map<string, number>()
  counter('job_runs_total', 'Runs of periodic jobs that have ended on this instance.', () =>
    [...runs].flatMap(([job, results]) =>
      [...results].map(([result, value]) => ({ labels: { job, result: result.replaceAll(' ', '_') }, value })),
    ),
  )
  gauge('job_last_success_timestamp_seconds', 'Time of the last successful run on this instance.', () =>
    [...succeededAt].map(([job, value]) => ({ labels: { job }, value })),
  )
  return function measure(event) {
    if (event.type !== 'run ended') return
    const results = runs.get(event.job) ?? new Map<JobResult, number>()
    results.set(event.result, (results.get(event.result) ?? 0) + 1)
    runs.set(event.job, results)
    if (event.result === 'ok') succeededAt.set(event.job, Date.now() / 1e3)
  }
}
