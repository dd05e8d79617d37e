/* The checks are imported by their paths, so that a service loads only the checks that it uses. */
export { createHealth, type Health, type Snapshot } from './health.ts'
export type { Check, HealthEvent } from './monitor.ts'
export type { CheckReport, History } from './policy.ts'
