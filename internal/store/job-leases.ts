import { type Kysely, sql } from 'kysely'
import type { JobLeases } from '#pkg/jobs/index.ts'
import { prepare } from '#pkg/postgres/index.ts'
import type { Database } from './postgres.ts'

interface Lease {
  readonly job: string
  readonly run: number
  /** In milliseconds, from now until the job is available. */
  readonly ms: number
}

/** Keeps the leases of jobs in PostgreSQL. Each call is one statement, so it works through PgBouncer in any mode. */
export function createJobLeases(db: Kysely<Database>): JobLeases {
  // clock_timestamp() is the time of the comparison, which may follow a wait for the row.
  const claim = prepare(
    ({ job, ms }: Omit<Lease, 'run'>) => sql<{ readonly run: number }>`
      insert into jobs (name, available_at) values (${job}, clock_timestamp() + ${ms} * interval '1 millisecond')
      on conflict (name) do update set run = jobs.run + 1, available_at = excluded.available_at
      where jobs.available_at <= clock_timestamp()
      returning run`,
  )
  const find = prepare(
    ({ job }: Pick<Lease, 'job'>) => sql<{ readonly ms: number }>`
      select (extract(epoch from available_at - clock_timestamp()) * 1000)::float8 as ms from jobs where name = ${job}`,
  )
  const move = prepare(
    ({ job, run, ms }: Lease) => sql<{ readonly run: number }>`
      update jobs set available_at = clock_timestamp() + ${ms} * interval '1 millisecond'
      where name = ${job} and run = ${run}
      returning run`,
  )

  return {
    async claim(job, leaseMs) {
      const claimed = await claim.takeFirst(db, { job, ms: leaseMs })
      if (claimed !== undefined) return { run: claimed.run }
      const held = await find.takeFirst(db, { job })
      return { availableInMs: held?.ms ?? 0 }
    },

    renew: async (job, run, leaseMs) => (await move.takeFirst(db, { job, run, ms: leaseMs })) !== undefined,

    release: async (job, run, afterMs) => void (await move.execute(db, { job, run, ms: afterMs })),
  }
}
