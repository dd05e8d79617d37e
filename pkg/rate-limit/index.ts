export { RATE_LIMIT_PROBLEMS } from './problems.ts'
export { type Count, type Counter, type CounterEvent, localCounter, sharedCounter, WINDOW_MS } from './rate-counter.ts'
export { type RateLimitOptions, rateLimit } from './rate-limit.ts'
