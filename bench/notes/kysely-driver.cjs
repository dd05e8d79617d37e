// The database of the service with Kysely's own driver and the pool of pg, for part.ts.
// biome-ignore lint/correctness/noUndeclaredDependencies: the Kysely of the service
const { CamelCasePlugin, Kysely, PostgresDialect } = require('kysely')
const pg = require('pg')
const { types } = require('../../pkg/postgres/client.ts')

exports.createDatabase = function createDatabase({ url, poolMax, connectTimeoutMs, idleTimeoutMs, onError }) {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolMax,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    types,
  })
  pool.on('error', onError)
  const plugins = [new CamelCasePlugin({ maintainNestedObjectKeys: true })]
  return new Kysely({ dialect: new PostgresDialect({ pool }), plugins })
}
