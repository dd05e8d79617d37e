import { type FieldType, TYPES } from './types.ts'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly isNullable: boolean
  readonly isUnique: boolean
}

const FORM = /^([^:]*):(\w+)(\?)?(:unique)?$/

/** One capital at a time, so that the column of `dueAt`, `due_at`, is `dueAt` again when it is read. */
const VALID_NAME = /^[a-z][a-z0-9]*([A-Z][a-z0-9]+)*$/

const RESERVED: Readonly<Record<string, readonly string[]>> = {
  'which every resource has': ['id', 'version', 'createdAt', 'updatedAt'],
  'which every table of PostgreSQL has': ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'],
  'which every object has': Object.getOwnPropertyNames(Object.prototype),
  'which makes a promise of an object': ['then'],
}

function nameProblem(name: string): string | undefined {
  const reserved = Object.entries(RESERVED).find(([, names]) => names.includes(name))
  if (reserved) return reserved[0]
  return VALID_NAME.test(name) && name.length <= 50
    ? undefined
    : 'expected at most 50 letters and digits, such as dueAt'
}

function readField(text: string): { readonly field: Field } | { readonly problem: string } {
  const [form, name = '', typeName = '', nullable, unique] = FORM.exec(text) ?? []
  const type = Object.hasOwn(TYPES, typeName) ? TYPES[typeName] : undefined
  if (form === undefined) return { problem: 'expected name:type, name:type? or name:type:unique' }
  const wrong = nameProblem(name)
  if (wrong !== undefined) return { problem: wrong }
  if (type === undefined) return { problem: `expected one of the types ${Object.keys(TYPES).join(', ')}` }
  if (unique && type.notUnique) return { problem: `which cannot be unique: ${type.notUnique}` }
  return { field: { name, type, isNullable: nullable !== undefined, isUnique: unique !== undefined } }
}

/** @returns the fields of `number:string:unique,total:int`, or what is wrong with them, one line each */
export function readFields(
  text = '',
): { readonly fields: readonly Field[] } | { readonly problems: readonly string[] } {
  if (text === '') return { problems: ['FIELDS: is missing: FIELDS=number:string:unique,total:int'] }
  const read = text.split(',').map((each) => ({ each, ...readField(each) }))
  const fields = read.flatMap((each) => ('field' in each ? [each.field] : []))
  const twice = fields.filter(({ name }, index) => fields.findIndex((field) => field.name === name) < index)
  const problems = [
    ...read.flatMap((each) => ('problem' in each ? [`got ${JSON.stringify(each.each)}, ${each.problem}`] : [])),
    ...twice.map(({ name }) => `got ${JSON.stringify(name)} twice`),
  ]
  return problems.length === 0 ? { fields } : { problems: problems.map((problem) => `FIELDS: ${problem}`) }
}
