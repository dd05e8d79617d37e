import type { Field } from './fields.ts'
import { type Names, rename } from './names.ts'

const separated = (name: string, separator: string) =>
  name.replaceAll(/[A-Z]/g, (letter) => separator + letter.toLowerCase())
const withWords = ({ name }: Field, code: string) => code.replace('{{words}}', separated(name, ' '))

const list = <T>(all: readonly T[], write: (each: T) => string, separator = ', ') => all.map(write).join(separator)
const unique = (all: readonly string[]) => [...new Set(all)].sort()

const columnName = ({ name }: Field) => separated(name, '_')

function writeColumn(field: Field): string {
  const { type, isNullable, isUnique } = field
  const constraint = type.constraint?.replace('{{column}}', columnName(field))
  const words = [`"${columnName(field)}" ${type.column}`, !isNullable && 'not null', isUnique && 'unique', constraint]
  return words.filter(Boolean).join(' ')
}

/** Writes the columns of the index that a sort or a filter needs. A unique column already has an index. */
function writeIndex(field: Field): string[] {
  if (field.isUnique) return []
  if (field.isSort) return [`("${columnName(field)}", id)`]
  return field.type.isFilter ? [`("${columnName(field)}", created_at desc, id desc)`] : []
}

/** Returns the name of the field that refers to the parent of a resource. */
export const nameParentField = (parent: Names): string =>
  (parent['UserProfile'] ?? '').replace(/^./, (first) => first.toLowerCase())

/** Writes the code that replaces each `{{…}}` in the templates. */
export function createTemplateValues(
  fields: readonly Field[],
  names: Names,
  parent?: Names,
): Readonly<Record<string, string>> {
  const keyed = (write: (field: Field) => string, of = fields) => list(of, (field) => `${field.name}: ${write(field)}`)
  const quoted = (of: readonly Field[], separator?: string) => list(of, ({ name }) => `'${name}'`, separator)
  const defaultValue = ({ isNullable, type }: Field) => (isNullable ? 'null' : (type.default ?? ''))
  const defaulted = fields.filter((field) => defaultValue(field) !== '')
  const sorts = fields.filter(({ isSort }) => isSort)
  const filters = fields.filter(({ type }) => type.isFilter)
  const references = fields.flatMap(({ name, type: { refersTo } }) => (refersTo ? [{ name, refersTo }] : []))
  const example = (field: Field) => withWords(field, field.type.example)
  const schema = ({ isNullable, type }: Field) => (isNullable ? `${type.schema}.nullable()` : type.schema)
  const declared = ({ name }: Field) => `fields.${name}`
  const functions = fields.map(({ type }) => /^\w+(?=\()/.exec(type.schema)?.[0] ?? '').filter(Boolean)
  const declare = (filters: readonly Field[]) => {
    const declaration = [
      sorts.length > 0 && `sorts: { ${keyed(declared, sorts)} }`,
      filters.length > 0 && `filters: { ${keyed(declared, filters)} }`,
    ].filter(Boolean)
    return declaration.length === 0 ? '' : `{ ${declaration.join(', ')} }`
  }
  const parentField = parent === undefined ? '' : nameParentField(parent)
  const isOther = ({ name }: Field) => name !== parentField
  return {
    schemas: keyed(schema),
    'schema functions': list(unique(functions), (name) => `${name},`, ' '),
    'fields of a new resource':
      defaulted.length === 0
        ? 'fields'
        : `{ ...fields, ${keyed((field) => `fields.${field.name}.default(${defaultValue(field)})`, defaulted)} }`,
    types: list(
      fields,
      ({ name, type, isNullable }) => `readonly ${name}: ${type.type}${isNullable ? ' | null' : ''}`,
      '\n  ',
    ),
    'type imports': fields.some(({ type }) => type.type === 'JsonObject') ? 'type JsonObject,' : '',
    columns: list(fields, writeColumn, ',\n  '),
    indexes: list(
      fields.flatMap(writeIndex),
      (columns) => `create index on "${names['user_profiles']}" ${columns};`,
      '\n',
    ),
    names: quoted(fields),
    'unique names': quoted(fields.filter(({ isUnique }) => isUnique)),
    list: declare(filters),
    parent: parentField,
    Parent: parent?.['UserProfile'] ?? '',
    'parent in words': parent?.['user profile'] ?? '',
    'parent path': parent?.['user-profiles'] ?? '',
    'parent table': parent === undefined ? '' : `; readonly ${parent['user_profiles']}: StoredTable`,
    'parent table name': parent?.['user_profiles'] ?? '',
    'list under the parent': declare(filters.filter(isOther)),
    'examples under the parent': keyed(example, fields.filter(isOther)),
    sorts: list(sorts, ({ name }) => `, '${name}'`, ''),
    'sort types': list(sorts, ({ name }) => ` | '${name}'`, ''),
    filters: quoted(filters),
    'filter types': filters.length === 0 ? '' : `, Pick<${names['UserProfile']}Fields, ${quoted(filters, ' | ')}>`,
    references: list(references, ({ name, refersTo }) => `['${name}', '/v1/${refersTo['user-profiles']}']`),
    'reference imports': unique(
      references.map(({ refersTo }) =>
        rename(`import { newUserProfile } from '../user-profiles/new-user-profile.ts'`, refersTo),
      ),
    ).join('\n'),
    'reference problem': references.length > 0 ? `'reference_not_found', ` : '',
    'and references': references.length > 0 ? ', and creates the resources that they refer to' : '',
    service: references.length > 0 ? 'service' : '_service',
    examples: keyed(example),
    'first example': keyed(example, fields.slice(0, 1)),
    'distinct values': keyed((field) => withWords(field, field.type.distinct)),
    'wrong values': keyed(({ type }) => type.wrong),
    defaults: keyed(defaultValue, defaulted),
    'left out': keyed(({ name }) => `_${name}`, defaulted),
  }
}
