import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { AppOptions, RunningApp } from '../../../test/support/app.ts'
import { until } from '../../../test/support/services.ts'
import type { KafkaRecord } from './start-kafka.ts'

/** Options that start the artifact with a copy of its standard output in a file, as systemd's `append:` writes it. */
export const writingTo = (file: string): AppOptions => ({
  program: ['bash', '-c', 'exec "$0" > >(tee -a "$1")', resolve('dist/app'), file],
})

/** Lists the records that the lines of a file must become. */
export function expectedRecords(file: string): readonly string[] {
  let offset = 0
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const origin = { host: { name: hostname() }, log: { offset, file: { path: file } } }
      offset += Buffer.byteLength(line) + 1
      return JSON.stringify({ ...origin, ...JSON.parse(line) })
    })
}

/** Renders the records as `expectedRecords` does. */
export const renderRecords = (records: readonly KafkaRecord[]) =>
  records.map(({ value }) => JSON.stringify(JSON.parse(value)))

/** Sends requests to the service. Resolves when the file contains their lines. */
export async function logRequests({ url }: RunningApp, file: string, names: readonly string[]): Promise<void> {
  for (const name of names) await fetch(`${url}/missing/${name}`)
  const last = `"url.path":"/missing/${names.at(-1)}"`
  await until(() => readFileSync(file, 'utf8').includes(last), 60_000)
}

/** Returns `count` names, such as `a-0`, `a-1`. */
export const listNames = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
