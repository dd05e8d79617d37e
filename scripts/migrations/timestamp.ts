/** Returns the time in UTC as migrations have it in their names: 20261122204602. */
export const timestamp = (time: Date) => time.toISOString().replaceAll(/\D/g, '').slice(0, 14)
