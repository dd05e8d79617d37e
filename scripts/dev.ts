/*
 * The program of `make dev` with the local database: applies new migrations, then serves. Each save starts it again.
 */
import { migrateLocal } from './migrations/local.ts'

try {
  await migrateLocal({ url: process.env['DATABASE_URL'] ?? '', applicationName: 'make dev', say: console.error })
} catch (error) {
  // Start the service anyway. It is not ready until a later save corrects the migration.
  console.error((error as Error).message)
}
await import('../src/main.ts')
