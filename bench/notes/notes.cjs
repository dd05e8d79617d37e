// The table, the queries and the responses of the notes, for every peer that uses pg.
const pg = require('pg')

const COLUMNS = 'id, version, created_at, updated_at, title, text'

/** Parameters in the order of the statements: id; limit; title, text; text, id, version. */
exports.SQL = {
  read: `select ${COLUMNS} from notes where id = $1`,
  list: `select ${COLUMNS} from notes order by created_at desc, id desc limit $1`,
  create: `insert into notes (title, text) values ($1, $2) returning ${COLUMNS}`,
  update: `update notes set text = $1, version = version + 1 where id = $2 and version = $3 returning ${COLUMNS}`,
}

exports.CONNECTION = {
  connectionString: process.env.DATABASE_URL,
  max: 10,
  idleTimeoutMillis: 30_000,
}

exports.UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

/** Formats a row. pg parses timestamps to a Date, whose JSON form is the format of the service. */
exports.formatNote = ({ id, version, created_at, updated_at, title, text }) => ({
  id,
  version,
  createdAt: created_at,
  updatedAt: updated_at,
  title,
  text,
})

/** Returns the version in an `if-match` header such as `"7"`. */
exports.parseVersion = (ifMatch = '') => Number(/^"(\d+)"$/.exec(ifMatch)?.[1])

/** Formats a page of up to `limit` notes from up to `limit + 1` rows. */
exports.formatPage = function formatPage(rows, limit) {
  const items = rows.slice(0, limit).map(exports.formatNote)
  const last = rows.length > limit ? items.at(-1) : undefined
  const next = last ? Buffer.from(`${last.createdAt.toISOString()} ${last.id}`).toString('base64url') : null
  return { items, next }
}

exports.createPool = () => new pg.Pool(exports.CONNECTION)
