import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { type LaunchOptions, launch } from '../../../scripts/services/service.ts'
import { listen } from '../listen.ts'
import { until } from '../services.ts'
import { ask } from './ask.ts'

/** Starts three instances that respond with their own port, once for a file. Stops the proxy after each test. */
export function useInstances() {
  const running: { stop(): unknown }[] = []
  let instances: Awaited<ReturnType<typeof listen>>[] = []
  let ports: number[] = []

  beforeAll(async () => {
    const create = () => listen(createServer((req, res) => res.end(String(req.socket.localPort))))
    instances = await Promise.all([create(), create(), create()])
    ports = instances.map(({ port }) => port)
  })
  afterEach(async () => {
    for (const each of running.splice(0).reverse()) await each.stop()
  })
  afterAll(() => Promise.all(instances.map(({ stop }) => stop())))

  /** Returns the indexes of the instances that respond to nine requests, and the negative status of each failure. */
  async function findUsed(port: number): Promise<number[]> {
    const used = new Set<number>()
    for (let n = 0; n < 9; n++) {
      const { status, body } = await ask({ host: '127.0.0.1', port })
      used.add(status === 200 ? ports.indexOf(Number(body)) : -status)
    }
    return [...used].sort()
  }

  return {
    /** Returns these instances as the list of a sink. */
    endpoints: (...indexes: number[]) =>
      indexes.map((i) => ({ host: '127.0.0.1', port: ports[i] ?? Number.NaN, weight: 1 })),
    findUsed,
    untilUsed: (port: number, ...indexes: number[]) =>
      until(async () => (await findUsed(port)).join() === indexes.join()),
    /** Calls `stop` after the test. */
    onEnd: (stop: () => unknown) => void running.push({ stop }),
    async start(options: LaunchOptions) {
      const process = await launch(options)
      const entry = { stop: () => process.stop() }
      running.push(entry)
      return {
        async stop() {
          running.splice(running.indexOf(entry), 1)
          await process.stop()
        },
      }
    },
  }
}
