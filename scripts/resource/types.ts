/** A type of fields: the code for it in the templates. */
export interface FieldType {
  readonly schema: string
  readonly column: string
  readonly type: string
  /** Writes an example. `words` is the name of the field as it stands in a sentence. */
  readonly example: (words: string) => string
  /** Writes a value that depends on the variable `number`. */
  readonly distinct: (words: string) => string
  /** A value that the schema refuses. */
  readonly wrong: string
  /** The value of a new resource when the request has none. Unset: the field is required. */
  readonly default?: string
  /** The reason why a field of this type cannot be unique. */
  readonly notUnique?: string
}

export const TYPES: Readonly<Record<string, FieldType>> = {
  string: {
    schema: 'text(1, 200)',
    column: 'varchar(200)',
    type: 'string',
    example: (words) => `'The ${words}'`,
    distinct: (words) => `\`${words} \${number}\``,
    wrong: '7',
  },
  text: {
    schema: 'text(0, 10_000)',
    column: 'varchar(10000)',
    type: 'string',
    example: (words) => `'The ${words}'`,
    distinct: (words) => `\`${words} \${number}\``,
    wrong: '7',
    default: `''`,
    notUnique: 'a value may be longer than an index can hold',
  },
  int: {
    schema: 'z.int32()',
    column: 'integer',
    type: 'number',
    example: () => '7',
    distinct: () => 'number',
    wrong: '2_147_483_648',
  },
  number: {
    schema: 'z.number()',
    column: 'double precision',
    type: 'number',
    example: () => '0.5',
    distinct: () => 'number + 0.5',
    wrong: `'7'`,
  },
  boolean: {
    schema: 'z.boolean()',
    column: 'boolean',
    type: 'boolean',
    example: () => 'true',
    distinct: () => 'number % 2 === 0',
    wrong: `'true'`,
    notUnique: 'there are only two values',
  },
  date: {
    schema: 'date()',
    column: 'date',
    type: 'string',
    example: () => `'2026-11-22'`,
    distinct: () => 'new Date(number * 86_400_000).toISOString().slice(0, 10)',
    wrong: `'2026-02-29'`,
  },
  timestamp: {
    schema: 'timestamp()',
    column: 'timestamptz(3)',
    type: 'string',
    example: () => `'2026-11-22T20:46:02.125Z'`,
    distinct: () => 'new Date(number).toISOString()',
    wrong: `'2026-11-22'`,
  },
  uuid: {
    schema: 'z.uuid()',
    column: 'uuid',
    type: 'string',
    example: () => `'0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c91'`,
    distinct: () => `'0198c0de-5a1b-4f6e-9d3c-'.concat(String(number).padStart(12, '0'))`,
    wrong: `'7'`,
  },
}
