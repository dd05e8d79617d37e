import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Experiment, parseExperiment } from './experiment.ts'
import { type Stage, type StartPart, startStage } from './stage.ts'

/** The extension `stage` of an experiment: `{"name":"stage","parts":["guarded"],"proxy":"haproxy","signal":"lost"}`. */
interface StageExtension {
  readonly name: 'stage'
  readonly parts?: readonly string[]
  readonly proxy?: string
  /** A regular expression that matches the warning or error that shows the fault. */
  readonly signal?: string
}

/** An experiment with the stage that it needs. */
export interface Planned extends Omit<StageExtension, 'name'> {
  readonly name: string
  readonly file: string
  readonly experiment: Experiment
  readonly parts: readonly string[]
}

/** Reads an experiment. @throws as `parseExperiment` does */
export function readExperiment(file: string): Planned {
  const experiment = parseExperiment(readFileSync(file, 'utf8'), file)
  const extension = experiment.extensions.find(({ name }) => name === 'stage') as StageExtension | undefined
  return { parts: [], ...extension, name: basename(file, '.json'), file, experiment }
}

/**
 * Returns the experiments in groups that share a stage. The experiments that restart an instance come last in their
 * group: a new instance has no remembered payments yet, which payments-out needs.
 */
export function groupByStage(experiments: readonly Planned[]): readonly Planned[][] {
  const restarts = ({ name }: Planned) => Number(name.startsWith('instance-'))
  const sorted = experiments.toSorted((a, b) => restarts(a) - restarts(b))
  return [...Map.groupBy(sorted, ({ parts, proxy }) => [proxy, ...parts].join()).values()]
}

/** Starts the stage of a group. */
export async function startStageOf([first]: readonly Planned[]): Promise<Stage> {
  const { parts = [], proxy } = first ?? {}
  const starts = parts.map(async (part) => {
    const { start } = (await import(join(import.meta.dirname, `parts/${part}.ts`))) as { readonly start: StartPart }
    return start
  })
  return startStage({ parts: await Promise.all(starts), ...(proxy && { proxy }) })
}
