/* The table of healing (docs/stability.md): how fast the service, and the responder, detect and heal five faults. */
import { globSync, mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { killApps } from '../../test/support/app.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { type Row, report } from './row.ts'

export interface HealingOptions {
  /** Runs the short rows only, with short times. */
  readonly quick: boolean
  /** Runs the rows whose names contain this text, and every row for `healing`. @default every row */
  readonly only?: string
  /** Repetitions of each row. @default 2 */
  readonly repeat?: number
}

export interface HealingReport {
  readonly markdown: string
  /** One line for each missed goal, and for each row that could not be measured. */
  readonly problems: readonly string[]
  /** Rows for which the machine was too busy. */
  readonly invalid: readonly string[]
}

/** The files of this folder that hold rows. */
const FILES = ['payments', 'frozen', 'overload', 'database', 'blocked']

async function listRows(): Promise<readonly Row[]> {
  const known = globSync('*.ts', { cwd: import.meta.dirname })
  const files = FILES.map((name) => `${name}.ts`).filter((file) => known.includes(file))
  const modules = await Promise.all(files.map((file) => import(join(import.meta.dirname, file))))
  return modules.flatMap(({ rows }: { readonly rows: readonly Row[] }) => rows)
}

export async function runHealing({ quick, only = '', repeat = 2 }: HealingOptions): Promise<HealingReport> {
  const rows = (await listRows()).filter(({ name, isQuick }) => {
    if (only !== '' && only !== 'healing') return name.includes(only)
    return isQuick || !quick
  })
  const lines: string[] = []
  const problems: string[] = []
  const invalid: string[] = []
  const root = temporaryDirectory('healing')
  for (const row of rows) {
    const load = loadavg()[0] ?? 0
    const directory = join(root, row.name)
    mkdirSync(directory)
    try {
      const outcome = await row.measure({ quick, repeat, directory })
      const found = report(row, outcome)
      lines.push(...found.lines)
      problems.push(...found.problems)
      if (outcome.invalid !== undefined) invalid.push(`${row.name}: ${outcome.invalid}`)
      console.info(`${row.name} (load of the machine ${load.toFixed(1)})\n${found.lines.join('\n')}`)
      console.info(JSON.stringify(outcome.samples))
    } catch (error) {
      problems.push(`${row.name} was not measured: ${(error as Error).stack}`)
    } finally {
      await killApps()
    }
  }
  const head =
    '| fault | healed by | value | goal | median | worst | repetitions |\n| --- | --- | --- | --- | --- | --- | --- |'
  return { markdown: [head, ...lines].join('\n'), problems, invalid }
}
