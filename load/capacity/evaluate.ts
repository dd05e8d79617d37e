import { findBottleneck, findOthers, OTHERS } from '../bottleneck.ts'
import type { StepResult } from '../measure.ts'
import { findKnee, type Knee, type KneeOptions, type Outcome } from './knee.ts'
import { type Costs, computeCosts, predictKnee, simulateStep } from './model.ts'
import type { CapacityOptions } from './options.ts'
import { computeSizing, type InstanceUse, type Sizing } from './sizing.ts'
import { holds } from './slo.ts'

/** A running system under load. */
export interface Rig extends AsyncDisposable {
  measure(options: Window & { readonly rate: number }): Promise<StepResult>
  /** Reads the largest resident memory of an instance. Undefined without a source. */
  readRss(): Promise<number | undefined>
}

export interface Window {
  readonly warmUpS: number
  readonly durationS: number
}

export interface Sample extends Outcome {
  readonly result: StepResult
  readonly rssBytes?: number
}

export interface Row {
  readonly instances: number
  /** Absent when the row is a simulation only. */
  readonly measured?: Knee<Sample>
  /** Absent when the CPU time of the link cannot be measured. */
  readonly simulated?: number
  /** With random instead of even arrivals. */
  readonly simulatedRandom?: number
  /** simulated / measured - 1, when both exist. */
  readonly deviation?: number
  /** Reason why the deviation is absent or not judged. */
  readonly reason?: string
}

export interface Capacity {
  readonly rows: readonly Row[]
  readonly window: Window & { readonly resolution: number; readonly repetitions: number }
  readonly use: InstanceUse
  readonly costs?: Costs
  /** Absent when the knee is 0. */
  readonly sizing?: Sizing
  /** True when the replicas carry the target in the simulation while a zone is lost. */
  readonly isTargetHeld?: boolean
}

export interface EvaluateDeps {
  readonly options: CapacityOptions
  readonly openRig: (instances: number) => Promise<Rig>
  /** Cores of this machine. */
  readonly cores: number
  readonly onProgress: (line: string) => void
}

/** The lowest rate of the search. At lower rates, a measurement has too few requests for a percentile. */
const LOWEST = 5

/** Share of the machine's cores that the link may need in a comparison. Above it, every process waits for a core. */
const MAX_BUSY = 0.75

/** Numbers of instances that are simulated in addition to the measured numbers. */
const BEYOND = [8, 16]

/** Measures the knee of each number of instances, fits the model to the first number, and sizes the target. */
export async function evaluate({ options, openRig, cores, onProgress }: EvaluateDeps): Promise<Capacity> {
  const { slo, isQuick, target, headroom, zones, maxConnections } = options
  const resolution = isQuick ? 0.1 : 0.04
  const repetitions = isQuick ? 2 : 3
  const longestS = Math.max(...slo.map(({ belowMs }) => belowMs)) / 1_000
  // A rate above the knee must miss the objective within the window. At 4 % above the capacity, the wait grows by 40 ms
  // each second.
  const durationS = Math.max(3, Math.ceil(longestS / resolution))
  const window = { warmUpS: isQuick ? 1 : 2, durationS }

  async function measureKnee(instances: number, hint: Pick<KneeOptions<Sample>, 'start' | 'growth'>) {
    await using rig = await openRig(instances)
    return await findKnee({
      ...{ lowest: LOWEST, ...hint, resolution, repetitions },
      async measure(rate): Promise<Sample> {
        const result = await rig.measure({ ...window, rate })
        const rssBytes = await rig.readRss()
        const isHeld = result.errorShare === 0 && holds(slo, result)
        onProgress(describe(instances, result, isHeld))
        const isValid = findBottleneck(result)?.resource !== 'generator'
        return { isHeld, isValid, result, ...(rssBytes !== undefined && { rssBytes }) }
      },
    })
  }

  const [first = 1, ...others] = options.instances
  const base = await measureKnee(first, { start: 50 })
  const measured = new Map([[first, base]])
  const fitted = fitCosts(base)
  const use = computeUse(base, first, fitted)
  // Without the processor time of the instances, a simulation would predict any rate.
  const costs = fitted && fitted.cpuMs > 0 ? fitted : undefined
  const plan = (instances: number, known: Costs) => ({ ...window, ...options, instances, costs: known })

  const rows: Row[] = []
  if (base.ratePerSecond > 0) {
    for (const instances of others) {
      const start = 0.8 * (base.ratePerSecond / first) * instances
      measured.set(instances, await measureKnee(instances, { start, growth: 1.5 }))
    }
  }
  const beyond =
    costs && options.system === undefined ? BEYOND.filter((each) => each > Math.max(...measured.keys())) : []
  for (const instances of [...measured.keys(), ...beyond]) {
    const knee = measured.get(instances)
    const simulated = costs && (await predictKnee(plan(instances, costs)))
    const random = costs && (await predictKnee({ ...plan(instances, costs), arrivals: 'random' }))
    rows.push({
      instances,
      ...(knee && { measured: knee }),
      ...(simulated !== undefined && { simulated }),
      ...(random !== undefined && { simulatedRandom: random }),
      ...compare(knee, simulated, costs, cores),
    })
  }

  const sizing = computeSizing({ ...{ target, use, headroom, zones, maxConnections } })
  const isTargetHeld = sizing && costs && simulateStep(plan(sizing.needed, costs), target).isHeld
  return {
    ...{ rows, use, window: { ...window, resolution, repetitions } },
    ...(costs && { costs }),
    ...(sizing && { sizing }),
    ...(isTargetHeld !== undefined && { isTargetHeld }),
  }
}

/** Returns the costs at the held rates from half of the knee on. At lower rates, the cost of an idle process counts. */
function fitCosts(knee: Knee<Sample>): Costs | undefined {
  const results = heldOf(knee).map(({ outcome }) => outcome.result)
  return results.length > 0 ? computeCosts(results) : undefined
}

const heldOf = ({ measurements, ratePerSecond: knee }: Knee<Sample>) =>
  measurements.filter(({ ratePerSecond, outcome }) => outcome.isHeld && ratePerSecond >= knee / 2)

function computeUse(knee: Knee<Sample>, instances: number, costs: Costs | undefined): InstanceUse {
  const rss = heldOf(knee).map(({ outcome }) => outcome.rssBytes ?? 0)
  const ratePerSecond = knee.ratePerSecond / instances
  const { cpuMs = 0, databaseCpuMs = 0, connectionMs = 0 } = costs ?? {}
  return {
    ratePerSecond,
    ...(rss.some((each) => each > 0) && { rssBytes: Math.max(...rss) }),
    ...(cpuMs > 0 && { cpu: (cpuMs * ratePerSecond) / 1_000 }),
    ...(databaseCpuMs > 0 && { databaseCpuMs }),
    ...(connectionMs > 0 && { connectionMs }),
  }
}

function compare(
  knee: Knee<Sample> | undefined,
  simulated: number | undefined,
  costs: Costs | undefined,
  cores: number,
): Pick<Row, 'deviation' | 'reason'> {
  if (knee === undefined) return { reason: 'simulation only' }
  if (simulated === undefined || costs === undefined) return { reason: 'the processes of the system are not visible' }
  if (knee.ratePerSecond === 0) return { reason: 'the knee is 0' }
  const deviation = simulated / knee.ratePerSecond - 1
  if (knee.limit === 'generator') return { deviation, reason: 'the generator was the limit' }
  const steps = knee.measurements.map(({ outcome }) => findOthers(outcome.result.evidence))
  const others = steps.reduce((sum, each) => sum + each, 0) / steps.length
  if (others > OTHERS * cores) {
    return { deviation, reason: `other programs used ${others.toFixed(1)} of the ${cores} cores` }
  }
  const needed = (simulated * costs.linkCpuMs) / 1_000
  if (needed > cores * MAX_BUSY) {
    return { deviation, reason: `the link would need ${needed.toFixed(1)} of the ${cores} cores of this machine` }
  }
  return { deviation }
}

function describe(instances: number, result: StepResult, isHeld: boolean): string {
  const { rate, p99Ms, errors, evidence } = result
  const failed = Object.entries(errors).map(([kind, count]) => `, ${count} × ${kind}`)
  const lag = Math.round(evidence.generator.lagMs)
  const verdict = isHeld ? 'held' : 'failed'
  return `${instances} × ${rate.toFixed(0)}/s: ${verdict}, p99 ${p99Ms.toFixed(0)} ms${failed.join('')} (generator's lag ${lag} ms)`
}
