export { createJob, type JobEvent, type JobOptions, type JobResult, type Run } from './job.ts'
export type { Claim, JobLeases } from './lease.ts'
