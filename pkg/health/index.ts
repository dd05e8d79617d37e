export { type CommandCheckOptions, commandCheck } from './checks/command.ts'
export { createHeartbeat, type HeartbeatTarget } from './checks/heartbeat.ts'
export { type HttpCheckOptions, httpCheck } from './checks/http.ts'
export { type PostgresCheckOptions, postgresCheck } from './checks/postgres.ts'
export { type RedisCheckOptions, redisCheck } from './checks/redis.ts'
export { type TcpCheckOptions, tcpCheck } from './checks/tcp.ts'
export {
  createHealth,
  type Health,
  type HealthEvent,
  type HealthOptions,
  type Snapshot,
  type WatchedCheck,
} from './health.ts'
export type { Check } from './monitor.ts'
export { type CheckReport, type History, type Outcome, REASONS, type Reason } from './policy.ts'
