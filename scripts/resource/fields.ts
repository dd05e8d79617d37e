import { type FieldType, TYPES } from './types.ts'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly isNullable: boolean
  readonly isUnique: boolean
}

const FORM = /^([^:]*):(\w+)(\?)?(:unique)?$/

/** Two capitals in a row are refused: the database layer could not turn the column back into the name. */
const VALID_NAME = /^[a-z][a-z0-9]*([A-Z][a-z0-9]+)*$/

const RESERVED: Readonly<Record<string, readonly string[]>> = {
  'which is a field of every resource': ['id', 'version', 'createdAt', 'updatedAt'],
  'which is a column of every table of PostgreSQL': ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'],
  'which is a property of every object': Object.getOwnPropertyNames(Object.prototype),
  'which turns an object into a promise': ['then'],
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

/** Reads fields such as `number:string:unique,total:int`. @throws with one line for each problem */
export function readFields(text = ''): readonly Field[] {
  if (text === '') throw new Error('FIELDS: is missing, expected fields such as FIELDS=number:string:unique,total:int')
  const read = text.split(',').map((each) => ({ each, ...readField(each) }))
  const fields = read.flatMap((each) => ('field' in each ? [each.field] : []))
  const twice = fields.filter(({ name }, index) => fields.findIndex((field) => field.name === name) < index)
  const problems = [
    ...read.flatMap((each) => ('problem' in each ? [`got ${JSON.stringify(each.each)}, ${each.problem}`] : [])),
    ...twice.map(({ name }) => `got ${JSON.stringify(name)} twice`),
  ]
  if (problems.length > 0) throw new Error(problems.map((problem) => `FIELDS: ${problem}`).join('\n'))
  return fields
}
