import { CodedError, type ProblemTable } from '../problem/index.ts'

/** Errors that the database causes. */
export const DATABASE_PROBLEMS = {
  conflict: { status: 409, detail: 'A resource with the same unique value already exists.' },
  still_referenced: { status: 409, detail: 'Another resource still refers to this one.' },
  reference_not_found: { status: 422, detail: 'A resource that the request refers to does not exist.' },
  database_unavailable: { status: 503, detail: 'The database is not available.', retryAfterSeconds: 1 },
} as const satisfies ProblemTable

declare module '../problem/table.ts' {
  interface Problems extends Record<keyof typeof DATABASE_PROBLEMS, ProblemType> {}
}

type DatabaseProblem = keyof typeof DATABASE_PROBLEMS

/**
 * PostgreSQL reports a violated foreign key with one code for both sides. The message names three objects when the row
 * is still referenced (table, constraint, referencing table), and two when the referenced row does not exist. It may
 * be in any language.
 */
function findForeignKeyProblem(message: string): DatabaseProblem {
  const quotes = message.match(/["“”„«»]/g) ?? []
  return quotes.length > 4 ? 'still_referenced' : 'reference_not_found'
}

/** SQLSTATE codes and classes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CODES: readonly (readonly [RegExp, DatabaseProblem])[] = [
  [/^23505$/, 'conflict'],
  // PostgreSQL 18 and later, for `on delete restrict`.
  [/^23001$/, 'still_referenced'],
  // Connection failure, failed login, no resources, shutdown or cancellation, a standby, lock or transaction timeout.
  [/^(08|28|53|57)...$|^(3D000|25006|25P0[34]|40001|40P01|55P03)$/, 'database_unavailable'],
  // ENOENT: the Unix socket does not exist. EMFILE, ENFILE, EADDRNOTAVAIL: there is no free file descriptor or port.
  [
    /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|ENOENT|EMFILE|ENFILE|EADDRNOTAVAIL|EAI_|timeout$)/,
    'database_unavailable',
  ],
  // TLS, such as an expired certificate: https://nodejs.org/api/tls.html#x509-certificate-error-codes
  [/CERT|^(EPROTO$|UNABLE_TO_|ERR_TLS_|ERR_SSL_)/, 'database_unavailable'],
]

/** Messages of pg's errors without a code: no connection, a failed login, a broken connection, no response. */
const MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|SASL)|SSL connection|not queryable$/

/** Returns the problem that a driver's error means, or undefined for a defect of this program. */
export function findStoreProblem(error: unknown): DatabaseProblem | undefined {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code === '23503') return findForeignKeyProblem(String(message))
  if (typeof code === 'string') return CODES.find(([pattern]) => pattern.test(code))?.[1]
  return MESSAGES.test(String(message)) ? 'database_unavailable' : undefined
}

type Method = (...args: never[]) => Promise<unknown>

/** Wraps each method of a store so that it throws a CodedError in place of the driver's error. */
export function withStoreProblems<S extends { readonly [name in keyof S]: Method }>(store: S): S {
  const wrapped = Object.entries<Method>(store).map(([name, method]) => [
    name,
    async (...args: never[]) => {
      try {
        return await method(...args)
      } catch (error) {
        const code = findStoreProblem(error)
        throw code === undefined ? error : new CodedError(code, { cause: error })
      }
    },
  ])
  return Object.fromEntries(wrapped)
}
