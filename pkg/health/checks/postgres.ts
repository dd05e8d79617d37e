import type { Check } from '../monitor.ts'

export interface PostgresCheckOptions {
  /**
   * A pool of its own with one connection: a service whose own pool is busy is slow, not unhealthy,
   * and taking it out of the rotation would only make the others busier.
   */
  readonly pool: {
    connect(): Promise<{
      query(text: string): Promise<unknown>
      /** `true` closes the connection instead of keeping it. */
      release(destroy: boolean): void
    }>
  }
}

/** Asks for one row over a real connection. A connection that did not answer in time is closed, not kept. */
export function postgresCheck({ pool }: PostgresCheckOptions): Check {
  return async function checkPostgres(signal) {
    const client = await pool.connect()
    let released = false
    const release = (destroy: boolean) => {
      if (!released) client.release(destroy)
      released = true
    }
    const giveUp = () => release(true)
    if (signal.aborted) {
      giveUp()
      throw signal.reason
    }
    signal.addEventListener('abort', giveUp)
    try {
      await client.query('select 1')
      release(false)
    } catch (error) {
      release(true)
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
}
