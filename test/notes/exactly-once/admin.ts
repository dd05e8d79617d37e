import pg from 'pg'
import { until } from '../../support/services.ts'

/** Connections that do not pass through the proxy. */
export interface Admin {
  /** Resolves as soon as the database accepts a connection. */
  connect(): Promise<pg.Client>
  query<R extends pg.QueryResultRow>(sql: string): Promise<R[]>
}

export function createAdmin(url: string): Admin {
  async function connect(): Promise<pg.Client> {
    let connected: pg.Client | undefined
    await until(async () => {
      const client = new pg.Client(url)
      client.on('error', () => {})
      await client.connect().then(
        () => {
          connected = client
        },
        () => {},
      )
      return connected !== undefined
    })
    return connected!
  }
  return {
    connect,
    async query<R extends pg.QueryResultRow>(sql: string) {
      const client = await connect()
      try {
        return (await client.query<R>(sql)).rows
      } finally {
        await client.end()
      }
    },
  }
}
