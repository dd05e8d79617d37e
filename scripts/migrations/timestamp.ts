/**
 * Returns the time in the name of a new migration, in UTC: 20261122204602. A new migration runs after the existing
 * migrations, so the time is at least one second after the newest of `names`.
 */
export function timestamp(now: Date, names: readonly string[]): string {
  const [newest = ''] = names
    .flatMap((name) => /^\d{14}/.exec(name) ?? [])
    .sort()
    .reverse()
  const last = Date.parse(newest.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z'))
  const time = new Date(Math.max(now.getTime(), last + 1_000 || 0))
  return time.toISOString().replaceAll(/\D/g, '').slice(0, 14)
}
