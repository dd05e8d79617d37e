import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

/** A log line. */
export type Line = Readonly<Record<string, unknown>>

/** Elasticsearch does not index longer keywords, because `ignore_above` of ECS is 1024. */
const isKeyword = (value: unknown) => typeof value === 'string' && value.length <= 1024
const isText = (value: unknown) => typeof value === 'string'

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  date: (value) => isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(value)),
  keyword: isKeyword,
  'list of keyword': (value) => Array.isArray(value) && value.every(isKeyword),
  text: isText,
  wildcard: isText,
  long: Number.isSafeInteger,
  boolean: (value) => typeof value === 'boolean',
  ip: (value) => isText(value) && isIP(String(value)) > 0,
}

interface LogField {
  readonly type: string
  readonly isInEveryLine: boolean
}

/** Reads the table of fields from docs/logs.md. @throws when a type is unknown */
function readLogFields(): ReadonlyMap<string, LogField> {
  const [, section = ''] = readFileSync('docs/logs.md', 'utf8').split(/^## Fields$/m)
  const rows = section.split(/^## /m, 1)[0]?.matchAll(/^\| `(\S+)` +\| ([\w ]+?) +\| (.+?) +\|/gm) ?? []
  return new Map(
    [...rows].map(([, name = '', type = '', where]) => {
      if (!Object.hasOwn(TYPES, type)) throw new Error(`docs/logs.md: ${name} has the unknown type ${type}`)
      return [name, { type, isInEveryLine: where === 'every line' }]
    }),
  )
}

const fields = readLogFields()

/**
 * Compares a log line with the fields of docs/logs.md. Returns one text for each field that is undocumented, missing or
 * of another type. A line that a test itself writes has `test: true`, and is not compared.
 */
export function findLineProblems(line: Line): string[] {
  if (line['test'] === true) return []
  const wrong = Object.entries(line).flatMap(([name, value]) => {
    const type = fields.get(name)?.type
    if (type === undefined) return [`${name} is not in docs/logs.md`]
    return TYPES[type]?.(value) ? [] : [`${name} is not a ${type}: ${JSON.stringify(value)}`]
  })
  const missing = [...fields].filter(([name, { isInEveryLine }]) => isInEveryLine && !Object.hasOwn(line, name))
  return [...wrong, ...missing.map(([name]) => `${name} is missing`)]
}

/** The fields that the composition root adds to every line. */
const BASE = { 'service.name': 'orders', 'service.version': '0.1.0', 'process.pid': 4711 }

/** Creates options for a logger, and the list of its lines. */
export function collectLines() {
  const lines: Record<string, unknown>[] = []
  return { lines, base: BASE, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } }
}
