import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { createHaproxySink } from '#pkg/bridge/index.ts'
import { freePort } from '../../scripts/services/service.ts'
import { unprivileged } from '../../test/support/deploy/directories.ts'
import { useInstances } from '../../test/support/deploy/instances.ts'
import { debianTool } from '../../test/support/tools.ts'

const { endpoints, findUsed, untilUsed, start } = useInstances()

async function startHaproxy(slots: number) {
  const command = await debianTool('haproxy', 'haproxy')
  const { directory, spawnOptions } = unprivileged('haproxy')
  const port = await freePort()
  const path = join(directory, 'admin.sock')
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  stats socket ${path} mode 666 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend public
  bind 127.0.0.1:${port}
  default_backend orders
backend orders
  balance roundrobin
  server-template slot 1-${slots} 127.0.0.1:1 disabled check inter 1s
`,
  )
  const open = () =>
    start({
      command,
      args: ['-W', '-f', file],
      spawnOptions,
      readyPattern: /Loading success/,
      logFile: join(directory, 'haproxy.log'),
      stopSignal: 'SIGTERM',
    })
  return { port, path, open, process: await open() }
}

test('HAProxy uses exactly the endpoints, and gets them again after its restart', async () => {
  const { port, path, open, process } = await startHaproxy(3)
  const sink = createHaproxySink({ path, backend: 'orders' })
  await sink.publish(endpoints(0, 1))
  await expect(findUsed(port)).resolves.toEqual([0, 1])
  await sink.publish(endpoints(1, 2))
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  await sink.publish(endpoints(0))
  await expect(findUsed(port)).resolves.toEqual([0])
  await sink.publish(endpoints(0, 1, 2))
  await expect(findUsed(port)).resolves.toEqual([0, 1, 2])
  await process.stop()
  await expect(sink.publish(endpoints(0, 1, 2))).rejects.toThrow(path)
  await open()
  await expect(findUsed(port)).resolves.toEqual([-503])
  await sink.publish(endpoints(0, 1, 2))
  await expect(findUsed(port)).resolves.toEqual([0, 1, 2])
})

test('HAProxy follows weights, and weight 0 drains', async () => {
  const { port, path } = await startHaproxy(3)
  const sink = createHaproxySink({ path, backend: 'orders' })
  await sink.publish(endpoints(0, 1, 2).map((endpoint, i) => ({ ...endpoint, weight: i })))
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  await sink.publish(endpoints(0, 1, 2))
  // After a change of weights, the round robin of HAProxy needs some requests until it reaches each server.
  await untilUsed(port, 0, 1, 2)
})

test('HAProxy with a slot too few uses all slots, and the error names the rest', async () => {
  const { port, path } = await startHaproxy(2)
  const sink = createHaproxySink({ path, backend: 'orders' })
  await expect(sink.publish(endpoints(0, 1, 2))).rejects.toThrow('needs 1 more slots')
  await expect(findUsed(port)).resolves.toHaveLength(2)
})

test('a backend that HAProxy does not have is an error', async () => {
  const { path } = await startHaproxy(2)
  const sink = createHaproxySink({ path, backend: 'none' })
  await expect(sink.publish(endpoints(0))).rejects.toThrow("HAProxy backend none: Can't find backend.")
})

test('a thousand slots of HAProxy are filled and emptied', async () => {
  const { path } = await startHaproxy(1_000)
  const sink = createHaproxySink({ path, backend: 'orders', timeoutMs: 30_000 })
  const many = Array.from({ length: 1_000 }, (_, i) => ({ host: '127.0.0.1', port: i + 1, weight: 1 }))
  await sink.publish(many)
  await sink.publish(many.slice(0, 1))
})
