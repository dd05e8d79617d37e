/**
 * Returns the time in the name of a new migration, in UTC: 20261122204602. A new migration runs after the existing
 * migrations, so the time is at least one second after the newest of `names`.
 */
export function timestamp(now: Date, names: readonly string[]): string {
  const newest =
    names
      .map((name) => /^\d{14}/.exec(name)?.[0] ?? '')
      .sort()
      .at(-1) ?? ''
  const [, ...parts] = /^(....)(..)(..)(..)(..)(..)$/.exec(newest) ?? []
  const [year = 0, month = 1, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number)
  const earliest = Date.UTC(year, month - 1, day, hour, minute, second + 1)
  const time = new Date(Math.max(now.getTime(), earliest))
  return time.toISOString().replaceAll(/\D/g, '').slice(0, 14)
}
