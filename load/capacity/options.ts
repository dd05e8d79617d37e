import * as z from 'zod'
import {
  type CommonOptions,
  type Environment,
  isCount,
  isInstances,
  number,
  numbers,
  parsed,
  readVariables,
} from '../options.ts'
import { type Objective, parseSlo } from './slo.ts'

export interface CapacityOptions extends CommonOptions {
  /** Requests per second of all instances. */
  readonly target: number
  readonly slo: readonly Objective[]
  readonly sloText: string
  /** Numbers of instances to measure, in rising order. With `system`, the number of its instances. */
  readonly instances: readonly number[]
  /** DATABASE_POOL_MAX of each instance. */
  readonly poolMax: number
  readonly zones: number
  readonly headroom: number
  /** `max_connections` of PostgreSQL. */
  readonly maxConnections: number
  /** Cores of the database in the simulation. */
  readonly databaseCores: number
  readonly isQuick: boolean
}

const isRising = (values: readonly number[]) => values.every((each, index) => each > (values[index - 1] ?? 0))

/** Reads the variables of `make capacity`. @throws Error with every problem, one a line */
export function readOptions(env: Environment, cores: number): CapacityOptions {
  const isQuick = env['QUICK'] === '1'
  const { values, common } = readVariables(
    z.object({
      TARGET: number('requests per second, such as 5000', (value) => value > 0 && value < 1e9),
      SLO: parsed((text) => ({ text, objectives: parseSlo(text) })).prefault(''),
      INSTANCES: env['URL']
        ? numbers(
            'one number from 1 to 8, because URL is set',
            ([value = 0, ...others]) => isInstances(value) && others.length === 0,
          ).default([1])
        : numbers(
            'rising numbers from 1 to 8, such as 1,2,4',
            (values) => values.every(isInstances) && isRising(values),
          ).default(isQuick ? [1, 2] : [1, 2, 4]),
      DATABASE_POOL_MAX: number('the number of connections of each instance', isCount).default(10),
      ZONES: number('a number of zones from 1', isCount).default(3),
      HEADROOM: number('a share from 0 to below 1', (value) => value >= 0 && value < 1).default(0.3),
      MAX_CONNECTIONS: number('max_connections of PostgreSQL', isCount).default(100),
      DATABASE_CORES: number('the number of cores of the database', isCount).default(cores),
    }),
    env,
  )
  return {
    ...common,
    target: values.TARGET,
    slo: values.SLO.objectives,
    sloText: values.SLO.text,
    instances: values.INSTANCES,
    poolMax: values.DATABASE_POOL_MAX,
    zones: values.ZONES,
    headroom: values.HEADROOM,
    maxConnections: values.MAX_CONNECTIONS,
    databaseCores: values.DATABASE_CORES,
    isQuick,
  }
}
