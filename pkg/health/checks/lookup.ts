import type { LookupAddress, LookupOptions } from 'node:dns'

type Done = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

const underWay = new Map<string, Done[]>()

/**
 * The system's lookup, one at a time for each name. It cannot be cancelled and holds one of libuv's
 * few threads until the resolver gives up, so a check that is aborted and tried again would soon hold
 * them all, and no other name could be looked up.
 */
export function lookup(name: string, options: LookupOptions, done: Done): void {
  const key = `${name} ${JSON.stringify(options)}`
  const waiting = underWay.get(key)
  if (waiting !== undefined) {
    waiting.push(done)
    return
  }
  const all = [done]
  underWay.set(key, all)
  // Loaded by the first check that looks something up, and not by each start.
  process.getBuiltinModule('node:dns').lookup(name, options, (...result) => {
    underWay.delete(key)
    for (const each of all) each(...(result as Parameters<Done>))
  })
}
