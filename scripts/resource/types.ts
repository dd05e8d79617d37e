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
const TEXT = { type: 'string', example: `'The {{words}}'`, distinct: `\`{{words}} \${number}\``, wrong: '7' }
const LONG = { notUnique: TOO_LONG, notSorted: TOO_LONG }
const FLAG = { example: 'true', distinct: 'number % 2 === 0', wrong: `'true'`, notUnique: 'there are only two values' }
const ID = '0198c0de-5a1b-4f6e-9d3c'
const UUID = { type: 'string', column: 'uuid', example: `'${ID}-2b7a1e4f8c91'`, wrong: `'7'` }

/** The types without parentheses. */
const SIMPLE: Readonly<Record<string, FieldType>> = {
  string: { schema: 'text(1, 200)', column: 'varchar(200)', ...TEXT },
  text: { schema: 'text(0, 10_000)', column: 'varchar(10000)', ...TEXT, default: `''`, ...LONG },
  int: { schema: 'z.int32()', column: 'integer', type: 'number', example: '7', distinct: 'number', wrong: '2 ** 31' },
  bigint: {
    ...{ schema: 'bigint()', column: 'bigint', type: 'string', example: `'9007199254740993'` },
    ...{ distinct: 'String(2n ** 53n + BigInt(number))', wrong: `'9223372036854775808'` },
  },
  number: {
    ...{ schema: 'z.number()', column: 'double precision', type: 'number' },
    ...{ example: '0.5', distinct: 'number + 0.5', wrong: `'7'` },
  },
  boolean: {
    ...{ schema: 'z.boolean()', column: 'boolean', type: 'boolean', ...FLAG },
    ...{ notSorted: FILTER, isFilter: true },
  },
  date: {
    ...{ schema: 'date()', column: 'date', type: 'string', example: `'2026-11-22'` },
    ...{ distinct: 'new Date(number * 86_400_000).toISOString().slice(0, 10)', wrong: `'2026-02-29'` },
  },
  timestamp: {
    ...{ schema: 'timestamp()', column: 'timestamptz(3)', type: 'string', example: `'2026-11-22T20:46:02.125Z'` },
    ...{ distinct: 'new Date(number).toISOString()', wrong: `'2026-11-22'` },
  },
  uuid: {
    ...{ schema: 'z.uuid()', ...UUID, notSorted: 'its order has no meaning' },
    distinct: `'${ID}-'.concat(String(number).padStart(12, '0'))`,
  },
  json: {
    ...{ schema: 'json()', column: 'jsonb', type: 'JsonObject', ...LONG },
    ...{
      example: `{ text: 'The {{words}}' }`,
      distinct: `{ some_number: number, list: ['{{words}}', null, { other_key: {} }] }`,
      wrong: `['a list']`,
    },
  },
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
