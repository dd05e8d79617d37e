import { describeMissing } from './existing.ts'
import { type Names, rename } from './names.ts'

/** The code that the templates need for a field of this type. `{{words}}` stands for the name of the field in words. */
export interface FieldType {
  readonly schema: string
  readonly column: string
  /** A constraint of the column. `{{column}}` stands for the name of the column. */
  readonly constraint?: string
  readonly type: string
  readonly example: string
  /** A value that depends on the variable `number`. */
  readonly distinct: string
  /** A value that the schema refuses. */
  readonly wrong: string
  /** The default of the field. When it is unset, the field is required. */
  readonly default?: string
  /** The reason why a field of this type cannot be unique. */
  readonly notUnique?: string
  /** The reason why a list cannot be sorted by a field of this type. */
  readonly notSorted?: string
  /** Lists can be filtered by every field of this type. */
  readonly isFilter?: boolean
  /** The resource that the field refers to. */
  readonly refersTo?: Names
}

/** Returns the type, or the reason to refuse the text between the parentheses. */
type ReadType = (argument: string, resources: readonly Names[]) => FieldType | string

const TOO_LONG = 'a value may be longer than an index can hold'
const FILTER = 'filter the list by it'
const LONG = { notUnique: TOO_LONG, notSorted: TOO_LONG }
const ID = '0198c0de-5a1b-4f6e-9d3c'
const UUID = { type: 'string', column: 'uuid', example: `'${ID}-2b7a1e4f8c91'`, wrong: `'7'` }
const TEXT = ['string', `'The {{words}}'`, `\`{{words}} \${number}\``, '7'] as const
const BOOLEAN = { notUnique: 'there are only two values', notSorted: FILTER, isFilter: true }
const DAY = 'new Date(number * 86_400_000).toISOString().slice(0, 10)'
const JSON_EXAMPLES = [
  `{ text: 'The {{words}}' }`,
  `{ some_number: number, list: ['{{words}}', null, { other_key: {} }] }`,
] as const

const simple = (
  [schema, column, type, example, distinct, wrong]: readonly [string, string, string, string, string, string],
  others: Partial<FieldType> = {},
): FieldType => ({ schema, column, type, example, distinct, wrong, ...others })

/** The types without parentheses: schema, column, type, example, distinct value and wrong value of each. */
const SIMPLE: Readonly<Record<string, FieldType>> = {
  string: simple(['text(1, 200)', 'varchar(200)', ...TEXT]),
  text: simple(['text(0, 10_000)', 'varchar(10000)', ...TEXT], { default: `''`, ...LONG }),
  int: simple(['z.int32()', 'integer', 'number', '7', 'number', '2 ** 31']),
  bigint: simple([
    'bigint()',
    'bigint',
    'string',
    `'9007199254740993'`,
    'String(2n ** 53n + BigInt(number))',
    `'9223372036854775808'`,
  ]),
  number: simple(['z.number()', 'double precision', 'number', '0.5', 'number + 0.5', `'7'`]),
  boolean: simple(['z.boolean()', 'boolean', 'boolean', 'true', 'number % 2 === 0', `'true'`], BOOLEAN),
  date: simple(['date()', 'date', 'string', `'2026-11-22'`, DAY, `'2026-02-29'`]),
  timestamp: simple([
    'timestamp()',
    'timestamptz(3)',
    'string',
    `'2026-11-22T20:46:02.125Z'`,
    'new Date(number).toISOString()',
    `'2026-11-22'`,
  ]),
  uuid: {
    ...{ schema: 'z.uuid()', ...UUID, notSorted: 'its order has no meaning' },
    distinct: `'${ID}-'.concat(String(number).padStart(12, '0'))`,
  },
  json: simple(['json()', 'jsonb', 'JsonObject', ...JSON_EXAMPLES, `['a list']`], LONG),
}

const ENUM_VALUE = /^[A-Za-z][\w-]{0,49}$/

const readEnum: ReadType = (argument) => {
  const values = argument.split('|')
  if (!values.every((value) => ENUM_VALUE.test(value))) {
    return 'expected values of at most 50 letters, digits, - and _, such as enum(open|closed)'
  }
  if (new Set(values).size < values.length) return 'which has a value twice'
  const list = values.map((value) => `'${value}'`).join(', ')
  return {
    ...{ schema: `z.enum([${list}])`, column: 'varchar(50)', constraint: `check ("{{column}}" in (${list}))` },
    ...{ type: list.replaceAll(', ', ' | '), example: `'${values[0]}'`, wrong: `'?'` },
    ...{ distinct: `[${list}][number % ${values.length}]`, notUnique: 'there are only a few values' },
    ...{ notSorted: FILTER, isFilter: true },
  }
}

const readDecimal: ReadType = (argument) => {
  const [, precision = 0, scale = 0] = (/^ *(\d{1,2}) *, *(\d{1,2}) *$/.exec(argument) ?? []).map(Number)
  if (precision < 4 || precision > 38 || scale > precision) {
    return 'expected the number of digits (4 to 38) and of decimals, such as decimal(12,2)'
  }
  const decimals = (digit: string) => (scale === 0 ? '' : `.${digit.padEnd(scale, '0')}`)
  return {
    ...{ schema: `decimal(${precision}, ${scale})`, column: `numeric(${precision}, ${scale})`, type: 'string' },
    example: `'${precision === scale ? 0 : 7}${decimals('5')}'`,
    distinct: scale === 0 ? 'String(number)' : `(number / 10 ** ${scale}).toFixed(${scale})`,
    wrong: `'0.${'1'.padStart(scale + 1, '0')}'`,
  }
}

const readReference: ReadType = (argument, resources) => {
  const refersTo = resources.find((names) => names['user-profile'] === argument)
  if (refersTo === undefined) return `but ${describeMissing(argument, resources)}`
  return {
    ...{ schema: 'z.uuid()', ...UUID, isFilter: true, notSorted: FILTER, refersTo },
    constraint: rename('references "user_profiles" on delete restrict', refersTo),
    distinct: rename(
      `(await service.send('post', '/v1/user-profiles', { body: await newUserProfile(service) })).body.id`,
      refersTo,
    ),
  }
}

const WITH_ARGUMENT: Readonly<Record<string, ReadType>> = {
  enum: readEnum,
  decimal: readDecimal,
  references: readReference,
}

const FORMS = [...Object.keys(SIMPLE), 'enum(a|b)', 'decimal(12,2)', 'references(invoice)'].join(', ')

/** Reads a type such as `int` or `enum(open|closed)`. Returns the reason to refuse it. */
export function readType(name: string, argument: string | undefined, resources: readonly Names[]): FieldType | string {
  const read = Object.hasOwn(WITH_ARGUMENT, name) ? WITH_ARGUMENT[name] : undefined
  if (read) return read(argument ?? '', resources)
  const simple = argument === undefined && Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : undefined
  return simple ?? `expected one of the types ${FORMS}`
}
