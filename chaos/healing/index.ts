/* The table of healing (docs/stability.md): how fast the service, and the responder, detect and heal five faults. */
import { existsSync, mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { killApps } from '../../test/support/app.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { rows as blocked } from './blocked.ts'
import { rows as database } from './database.ts'
import { rows as frozen } from './frozen.ts'
import { rows as overload } from './overload.ts'
import { rows as payments } from './payments.ts'
import { type Outcome, type Row, report } from './row.ts'

export interface HealingOptions {
  /** Runs the short rows only, with short times. */
  readonly quick: boolean
  /** Runs the rows whose names contain this text, and every row for `healing`. @default every row */
  readonly only?: string
  /** Repetitions of each row. @default 2 */
  readonly repeat?: number
}

export interface HealingReport {
  /** The rows that were measured. */
  readonly measured: readonly { readonly name: string; readonly outcome: Outcome }[]
  readonly markdown: string
  /** One line for each missed goal, and for each row that could not be measured. */
  readonly problems: string[]
  /** Rows for which the machine was too busy. */
  readonly invalid: readonly string[]
}

const ROWS: readonly Row[] = [...payments, ...frozen, ...overload, ...database, ...blocked]

const HEAD = `| fault | healed by | value | goal | median | worst | repetitions |
| --- | --- | --- | --- | --- | --- | --- |`

export async function runHealing({ quick, only = '', repeat = 2 }: HealingOptions): Promise<HealingReport> {
  const isWanted = ({ name }: Row) => ['', 'healing'].includes(only) || name.includes(only)
  const canRun = ({ needs = [] }: Row) => needs.every((folder) => existsSync(folder))
  const rows = ROWS.filter((row) => isWanted(row) && canRun(row) && (row.isQuick || !quick))
  const lines: string[] = []
  const problems: string[] = []
  const invalid: string[] = []
  const measured: { name: string; outcome: Outcome }[] = []
  const root = temporaryDirectory('healing')
  for (const row of rows) {
    const { name } = row
    const directory = join(root, name)
    mkdirSync(directory)
    console.info(`${name}: load of the machine ${(loadavg()[0] ?? 0).toFixed(1)}`)
    try {
      const outcome = await row.measure({ quick, repeat, directory })
      const found = report(row, outcome)
      lines.push(...found.lines)
      problems.push(...found.problems)
      if (outcome.invalid !== undefined) invalid.push(`${name}: ${outcome.invalid}`)
      measured.push({ name, outcome })
      console.info(`${name}: ${JSON.stringify(outcome)}`)
    } catch (error) {
      problems.push(`${name} was not measured: ${(error as Error).stack}`)
      console.error(problems.at(-1))
    } finally {
      await killApps()
    }
  }
  return { measured, markdown: [HEAD, ...lines].join('\n'), problems, invalid }
}
