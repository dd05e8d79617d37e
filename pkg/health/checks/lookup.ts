import type { LookupAddress, LookupOptions } from 'node:dns'

type Done = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

const pending = new Map<string, Done[]>()

/**
 * Looks up a name with the resolver of the system, one lookup at a time for each name. A lookup cannot be cancelled and
 * occupies one of libuv's few threads until the resolver gives up. Without this limit, repeated checks of one name
 * would occupy every thread and block the lookup of all other names.
 */
export function lookup(name: string, options: LookupOptions, done: Done): void {
  const key = `${name} ${JSON.stringify(options)}`
  const waiting = pending.get(key)
  if (waiting) return void waiting.push(done)
  const all = [done]
  pending.set(key, all)
  // Loaded at the first lookup, which keeps the start fast.
  process.getBuiltinModule('node:dns').lookup(name, options, (...result) => {
    pending.delete(key)
    for (const each of all) each(...(result as Parameters<Done>))
  })
}
