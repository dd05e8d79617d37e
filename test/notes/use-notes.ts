import { afterAll, beforeAll } from '@jest/globals'
import pg from 'pg'
import { killApps } from '../support/app.ts'
import { type DescribedService, startDescribed } from '../support/described.ts'

/** Starts the service with its stores for the tests of a file. Read the properties inside of a test. */
export function useNotes() {
  let service: DescribedService
  let admin: pg.Client

  async function connectAdmin(): Promise<void> {
    admin = new pg.Client(service.database.url)
    // The connection ends when a test kills the server.
    admin.on('error', () => {})
    await admin.connect()
  }

  beforeAll(async () => {
    service = await startDescribed()
    await connectAdmin()
  })
  afterAll(async () => {
    await admin.end()
    await killApps()
    await service.stop()
  })

  const send: DescribedService['send'] = (...request) => service.send(...request)
  let titles = 0
  const title = () => `Title ${++titles}`
  return {
    get service() {
      return service
    },
    /** Executes SQL on a connection of its own. */
    query: (text: string, values?: readonly unknown[]) => admin.query(text, values as unknown[]),
    /** Connects again after a restart of the database. */
    connectAdmin,
    send,
    /** Returns another title at each call. */
    title,
    create: async (body: object = { title: title() }, headers = {}) => send('post', '/v1/notes', { body, headers }),
  }
}
