/* node test/jobs/programs/hold-job.ts, with DATABASE_URL: runs a job that never ends, and prints a line when it has begun. */
import { createJobLeases } from '../../../internal/store/job-leases.ts'
import { createJob } from '../../../pkg/jobs/index.ts'
import { createDatabase } from '../../../pkg/postgres/index.ts'

const db = createDatabase<Record<never, never>>({
  url: process.env['DATABASE_URL'] ?? '',
  applicationName: 'hold-job',
  poolMax: 1,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 5_000,
  idleTimeoutMs: 60_000,
  onError: () => {},
})
createJob({
  name: 'report',
  intervalMs: 50,
  timeoutMs: 600_000,
  leaseMs: 1_500,
  leases: createJobLeases(db),
  work: () => new Promise(() => console.info('started')),
}).start()
