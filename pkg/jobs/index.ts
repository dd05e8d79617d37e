export { createJob, type JobEvent, type JobOptions, type JobResult, type Run, STOP_TIMEOUT_MS } from './job.ts'
export type { Claim, JobLeases } from './lease.ts'
