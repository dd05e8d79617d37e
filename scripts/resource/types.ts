/** A type of fields: the code for it in the templates. `{{words}}` is the name of the field as it stands in a sentence. */
export interface FieldType {
  readonly schema: string
  readonly column: string
  readonly type: string
  readonly example: string
  /** A value that depends on the variable `number`. */
  readonly distinct: string
  /** A value that the schema refuses. */
  readonly wrong: string
  /** The value of a new resource when the request has none. Unset: the field is required. */
  readonly default?: string
  /** The reason why a field of this type cannot be unique. */
  readonly notUnique?: string
}

const TEXT = { type: 'string', example: `'The {{words}}'`, distinct: `\`{{words}} \${number}\``, wrong: '7' }
const TOO_LONG = 'a value may be longer than an index can hold'
const FLAG = { example: 'true', distinct: 'number % 2 === 0', wrong: `'true'`, notUnique: 'there are only two values' }
const ID = '0198c0de-5a1b-4f6e-9d3c'

export const TYPES: Readonly<Record<string, FieldType>> = {
  string: { schema: 'text(1, 200)', column: 'varchar(200)', ...TEXT },
  text: { schema: 'text(0, 10_000)', column: 'varchar(10000)', ...TEXT, default: `''`, notUnique: TOO_LONG },
  int: { schema: 'z.int32()', column: 'integer', type: 'number', example: '7', distinct: 'number', wrong: '2 ** 31' },
  number: {
    ...{ schema: 'z.number()', column: 'double precision', type: 'number' },
    ...{ example: '0.5', distinct: 'number + 0.5', wrong: `'7'` },
  },
  boolean: { schema: 'z.boolean()', column: 'boolean', type: 'boolean', ...FLAG },
  date: {
    ...{ schema: 'date()', column: 'date', type: 'string', example: `'2026-11-22'` },
    ...{ distinct: 'new Date(number * 86_400_000).toISOString().slice(0, 10)', wrong: `'2026-02-29'` },
  },
  timestamp: {
    ...{ schema: 'timestamp()', column: 'timestamptz(3)', type: 'string', example: `'2026-11-22T20:46:02.125Z'` },
    ...{ distinct: 'new Date(number).toISOString()', wrong: `'2026-11-22'` },
  },
  uuid: {
    ...{ schema: 'z.uuid()', column: 'uuid', type: 'string', example: `'${ID}-2b7a1e4f8c91'` },
    ...{ distinct: `'${ID}-'.concat(String(number).padStart(12, '0'))`, wrong: `'7'` },
  },
}
