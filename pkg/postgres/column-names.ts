import { CamelCasePlugin } from 'kysely'

/** Kysely's plugin, whose conversion of names prepared queries use once a result instead of once a row. */
export class ColumnNames extends CamelCasePlugin {
  override camelCase(name: string): string {
    return super.camelCase(name)
  }

  override mapRow(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return super.mapRow(row)
  }
}
