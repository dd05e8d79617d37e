import type { Field } from './fields.ts'

const separated = (name: string, separator: string) =>
  name.replaceAll(/[A-Z]/g, (letter) => separator + letter.toLowerCase())
const withWords = ({ name }: Field, code: string) => code.replace('{{words}}', separated(name, ' '))

const list = <T>(all: readonly T[], write: (each: T) => string, separator = ', ') => all.map(write).join(separator)

/** Writes the code that replaces each `{{…}}` in the templates. */
export function templateValues(fields: readonly Field[]): Readonly<Record<string, string>> {
  const keyed = (write: (field: Field) => string, of = fields) => list(of, (field) => `${field.name}: ${write(field)}`)
  const defaultValue = ({ isNullable, type }: Field) => (isNullable ? 'null' : (type.default ?? ''))
  const defaulted = fields.filter((field) => defaultValue(field) !== '')
  const example = (field: Field) => withWords(field, field.type.example)
  const schema = ({ isNullable, type }: Field) => (isNullable ? `${type.schema}.nullable()` : type.schema)
  const functions = fields.map(({ type }) => /^\w+(?=\()/.exec(type.schema)?.[0] ?? '').filter(Boolean)
  const quoted = (of: readonly Field[]) => list(of, ({ name }) => `'${name}'`)
  const column = ({ name, type, isNullable, isUnique }: Field) =>
    `"${separated(name, '_')}" ${type.column}${isNullable ? '' : ' not null'}${isUnique ? ' unique' : ''}`
  return {
    schemas: keyed(schema),
    'schema functions': list([...new Set(functions)].sort(), (name) => `${name},`, ' '),
    'fields of a new one':
      defaulted.length === 0
        ? 'fields'
        : `{ ...fields, ${keyed((field) => `fields.${field.name}.default(${defaultValue(field)})`, defaulted)} }`,
    types: list(
      fields,
      ({ name, type, isNullable }) => `readonly ${name}: ${type.type}${isNullable ? ' | null' : ''}`,
      '\n  ',
    ),
    columns: list(fields, column, ',\n  '),
    names: quoted(fields),
    'unique names': quoted(fields.filter(({ isUnique }) => isUnique)),
    examples: keyed(example),
    'first example': keyed(example, fields.slice(0, 1)),
    'distinct values': keyed((field) => withWords(field, field.type.distinct)),
    'wrong values': keyed(({ type }) => type.wrong),
    defaults: keyed(defaultValue, defaulted),
    'left out': keyed(({ name }) => `_${name}`, defaulted),
  }
}
