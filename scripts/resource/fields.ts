import type { Names } from './names.ts'
import { type FieldType, readType } from './types.ts'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly isNullable: boolean
  readonly isUnique: boolean
  /** Lists can be sorted by the field. */
  readonly isSort: boolean
}

const FORM = /^([^:]*):(\w+)(?:\(([^()]*)\))?(\?)?(?::(unique|sort))?$/

/** Matches the commas between fields, but not the commas in parentheses. */
const COMMA = /,(?![^()]*\))/

/** Rejects two consecutive capitals, because the database layer could not convert the column back to the name. */
const VALID_NAME = /^[a-z][a-z0-9]*([A-Z][a-z0-9]+)*$/

const RESERVED: Readonly<Record<string, readonly string[]>> = {
  'which is a field of every resource': ['id', 'version', 'createdAt', 'updatedAt'],
  'which is a column of every table of PostgreSQL': ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'],
  'which is a property of every object': Object.getOwnPropertyNames(Object.prototype),
  'which turns an object into a promise': ['then'],
  'which is a parameter of every update': ['versions'],
}

/** Names that a field with a filter must not have: a filter is a query parameter with the name of its field. */
const RESERVED_FOR_FILTERS = ['sort', 'limit', 'cursor']

function findNameProblem(name: string): string | undefined {
  const reserved = Object.entries(RESERVED).find(([, names]) => names.includes(name))
  if (reserved) return reserved[0]
  return VALID_NAME.test(name) && name.length <= 50
    ? undefined
    : 'expected at most 50 letters and digits, the first in lower case, such as dueAt'
}

function readField(text: string, resources: readonly Names[]): Field | string {
  const [form, name = '', typeName = '', argument, nullable, option] = FORM.exec(text) ?? []
  if (form === undefined) return 'expected name:type, name:type?, name:type:unique or name:type:sort'
  const wrong = findNameProblem(name)
  if (wrong !== undefined) return wrong
  const type = readType(typeName, argument, resources)
  if (typeof type === 'string') return type
  if (type.isFilter && RESERVED_FOR_FILTERS.includes(name)) return 'which is a parameter of every list'
  const [isNullable, isUnique] = [nullable !== undefined, option === 'unique']
  if (isUnique && type.notUnique) return `which cannot be unique: ${type.notUnique}`
  const notSorted = type.notSorted ?? (isNullable ? 'it may be null' : undefined)
  if (option === 'sort' && notSorted) return `which cannot sort a list: ${notSorted}`
  return { name, type, isNullable, isUnique, isSort: option !== undefined && notSorted === undefined }
}

/**
 * Reads fields such as `number:string:unique,total:int`, which may refer to `resources`.
 *
 * @throws with one line for each problem
 */
export function readFields(text = '', resources: readonly Names[] = []): readonly Field[] {
  if (text === '') throw new Error('FIELDS: is missing, expected fields such as FIELDS=number:string:unique,total:int')
  const read = text.split(COMMA).map((each) => ({ each, field: readField(each, resources) }))
  const fields = read.flatMap(({ field }) => (typeof field === 'string' ? [] : [field]))
  const twice = fields.filter(({ name }, index) => fields.findIndex((field) => field.name === name) < index)
  const problems = [
    ...read.flatMap(({ each, field }) => (typeof field === 'string' ? [`got ${JSON.stringify(each)}, ${field}`] : [])),
    ...twice.map(({ name }) => `got ${JSON.stringify(name)} twice`),
  ]
  if (problems.length > 0) throw new Error(problems.map((problem) => `FIELDS: ${problem}`).join('\n'))
  return fields
}
