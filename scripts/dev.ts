/* The program of `make dev` with the local database: applies new migrations, then serves. Node runs it again on each save. */
import { migrate } from '#internal/store/migrate.ts'

try {
  await migrate({ url: process.env['DATABASE_URL'] ?? '', applicationName: 'make dev', say: console.error })
} catch (error) {
  // The service starts all the same: it reports itself not ready until the next save mends the migration.
  console.error((error as Error).message)
}
await import('../src/main.ts')
