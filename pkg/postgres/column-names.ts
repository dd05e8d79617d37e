import { CamelCasePlugin } from 'kysely'

/**
 * Publishes the conversion of names in Kysely's plugin. Prepared queries convert names once per result instead of once
 * per row.
 */
export class ColumnNames extends CamelCasePlugin {
  override camelCase(name: string): string {
    return super.camelCase(name)
  }
}
