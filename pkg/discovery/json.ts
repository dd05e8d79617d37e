/** Parses the body of a response. @throws an error that quotes no part of the body */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Error('response is not JSON')
  }
}

/** Parses the body of a response as a JSON object. @throws an error that quotes no part of the body */
export function parseObject(body: string): Readonly<Record<string, unknown>> {
  const value = parseJson(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('response is not a JSON object')
  return value as Record<string, unknown>
}

/** Returns the value if it is an object, and an empty object otherwise. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** Returns the value if it is a string, and an empty string otherwise. An instance with an empty host is invalid. */
export const asText = (value: unknown) => (typeof value === 'string' ? value : '')

/** Returns a number, or NaN. An instance with the port NaN is invalid. Eureka also writes numbers as strings. */
export function asNumber(value: unknown): number {
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value)
  return typeof value === 'number' ? value : Number.NaN
}
