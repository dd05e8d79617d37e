import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { type LaunchOptions, launch } from '../../../scripts/services/service.ts'
import { until } from '../services.ts'

/** For the tests of a file: three instances that respond with their own port, and a proxy that stops after each test. */
export function useInstances() {
  const instances = [0, 1, 2].map(() => createServer((req, res) => res.end(String(req.socket.localPort))))
  const running: { stop(): unknown }[] = []
  let ports: number[] = []

  beforeAll(async () => {
    await Promise.all(instances.map((instance) => once(instance.listen(0, '127.0.0.1'), 'listening')))
    ports = instances.map((instance) => (instance.address() as AddressInfo).port)
  })
  afterEach(async () => {
    for (const each of running.splice(0).reverse()) await each.stop()
  })
  afterAll(() => {
    for (const instance of instances) {
      instance.close()
      instance.closeAllConnections()
    }
  })

  /** Returns the indexes of the instances that respond to nine requests, and the negative status of failed responses. */
  async function findUsed(port: number): Promise<number[]> {
    const used = new Set<number>()
    for (let n = 0; n < 9; n++) {
      const { status, body } = await get(port)
      used.add(status === 200 ? ports.indexOf(Number(body)) : -status)
    }
    return [...used].sort()
  }

  return {
    /** The list of a sink. */
    endpoints: (...indexes: number[]) =>
      indexes.map((i) => ({ host: '127.0.0.1', port: ports[i] ?? Number.NaN, weight: 1 })),
    findUsed,
    untilUsed: (port: number, ...indexes: number[]) =>
      until(async () => (await findUsed(port)).join() === indexes.join()),
    /** Stops after the test. */
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

async function get(port: number): Promise<{ status: number; body: string }> {
  const sent = request({ host: '127.0.0.1', port, path: '/', agent: false }).end()
  const [response] = await once(sent, 'response')
  return { status: response.statusCode, body: await text(response) }
}
