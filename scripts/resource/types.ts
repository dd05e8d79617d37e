/** A type of fields, as everything that has to know it writes it. */
export interface FieldType {
  readonly schema: string
  readonly column: string
  readonly type: string
  /** Source of a value; `words` is the name of the field in a sentence. */
  readonly example: (words: string) => string
  /** Source of a value that differs with the variable `number`. */
  readonly distinct: (words: string) => string
  /** Source of a value that is refused. */
  readonly wrong: string
  /** Source of what a new one has where nothing is sent. Unset: it has to be sent. */
  readonly default?: string
  /** Why it cannot be unique. */
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
    notUnique: 'it is longer than an index can hold',
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
    notUnique: 'there are only two of them',
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
