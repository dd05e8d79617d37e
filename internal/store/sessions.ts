import type { SessionStore } from '#pkg/access/sessions.ts'
import type { Redis } from './redis.ts'

export interface SessionsDeps {
  readonly redis: Pick<Redis, 'run'>
  /** Prefix of the keys: other services may use the same Redis. */
  readonly service: string
}

/** Longest wait of a request, in milliseconds. */
const TIMEOUT_MS = 500

/** Keeps sessions in Redis for all instances of the service. */
export function createSessionStore({ redis, service }: SessionsDeps): SessionStore {
  const key = (id: string) => `${service}:session:${id}`
  return {
    get: (id) => redis.run(TIMEOUT_MS, 'GET', key(id)),
    set: (id, content, ttlMs) => redis.run(TIMEOUT_MS, 'SET', key(id), content, 'PX', String(ttlMs)),
    delete: (id) => redis.run(TIMEOUT_MS, 'DEL', key(id)),
  }
}
