import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { createNginxSink } from '#pkg/bridge/index.ts'
import { freePort } from '../../scripts/services/service.ts'
import { findLines, killApps, launchApp } from '../../test/support/app.ts'
import { askTimes, countShares, listRequests } from '../../test/support/deploy/ask.ts'
import { unprivileged } from '../../test/support/deploy/directories.ts'
import { useInstances } from '../../test/support/deploy/instances.ts'
import { addresses, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { startFleet } from '../../test/support/fleet.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { debianTool } from '../../test/support/tools.ts'
import { startNginx as startBalancer } from './start-nginx.ts'

// A reload ends before nginx has started its new workers, so the tests use `untilUsed`.
const { endpoints, untilUsed, start } = useInstances()

async function startNginx() {
  const program = await debianTool('nginx', 'nginx')
  const { directory, spawnOptions } = unprivileged('nginx')
  const port = await freePort()
  const path = join(directory, 'servers.conf')
  const file = join(directory, 'nginx.conf')
  const config = `
error_log stderr notice;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
  upstream orders { zone orders 64k; include servers.conf; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://orders; } }
}
`
  writeFileSync(file, config)
  writeFileSync(path, 'server 127.0.0.1:1 down;\n')
  await start({
    command: program,
    args: ['-p', directory, '-c', file, '-g', 'daemon off;'],
    spawnOptions,
    readyPattern: /start worker process \d+/,
    logFile: join(directory, 'nginx.log'),
    stopSignal: 'SIGTERM',
  })
  const command = [program, '-p', directory, '-c', file]
  return { port, path, file, config, sink: createNginxSink({ path, command }) }
}

test('nginx uses exactly the endpoints', async () => {
  const { port, sink } = await startNginx()
  await sink.publish(endpoints(0, 1))
  await untilUsed(port, 0, 1)
  await sink.publish(endpoints(1, 2))
  await untilUsed(port, 1, 2)
  await sink.publish([])
  await untilUsed(port, -502)
})

test('nginx keeps its list when it refuses its configuration', async () => {
  const { port, path, file, config, sink } = await startNginx()
  await sink.publish(endpoints(0, 1))
  await untilUsed(port, 0, 1)
  const before = readFileSync(path, 'utf8')
  writeFileSync(file, config.replace('events {}', 'evnts {}'))
  await expect(sink.publish(endpoints(2))).rejects.toThrow('unknown directive "evnts"')
  expect(readFileSync(path, 'utf8')).toBe(before)
  // A worker with the list of the start may still accept for a moment.
  await untilUsed(port, 0, 1)
  writeFileSync(file, config)
  await sink.publish(endpoints(2))
  await untilUsed(port, 2)
})

test('a list that is too long for the zone of nginx is refused, and the old list stays', async () => {
  const { port, path, sink } = await startNginx()
  await sink.publish(endpoints(0))
  await untilUsed(port, 0)
  const before = readFileSync(path, 'utf8')
  const many = Array.from({ length: 10_000 }, (_, i) => ({ host: '127.0.0.1', port: i + 1, weight: 1 }))
  await expect(sink.publish(many)).rejects.toThrow('no memory in upstream zone "orders"')
  expect(readFileSync(path, 'utf8')).toBe(before)
})

describe('the health checks of app bridge', () => {
  let proxy: RunningProxy
  afterEach(async () => {
    await proxy.stop()
    await killApps()
  })

  test('a frozen instance gets no requests, and gets requests again when it responds', async () => {
    const fleet = await startFleet()
    proxy = await startBalancer({ instances: addresses(fleet), reloads: true })
    const bridge = launchApp(['bridge'], {
      env: {
        ...proxy.bridge,
        BRIDGE_INSTANCES: addresses(fleet).join(),
        BRIDGE_STATE: join(temporaryDirectory('bridge'), 'state.json'),
      },
    })
    await bridge.line({ message: 'instances changed', 'App.bridge.instances': 3 })
    const [frozen, ...others] = fleet
    frozen!.app().signal('SIGSTOP')
    await bridge.line({ message: 'instances changed', 'App.bridge.instances': 2 })
    // The old workers, with the old list, no longer accept connections.
    const count = (text: string, word: string) => text.split(word).length - 1
    const workers = () => count(proxy.log().split('reconfiguring', 1).join(), 'start worker process ')
    await until(() => count(proxy.log(), 'gracefully shutting down') >= 2 * workers())
    expect(await countShares(others, await askTimes(proxy, 50))).toHaveLength(2)
    const before = listRequests(frozen!).length
    frozen!.app().signal('SIGCONT')
    await until(() => findLines(bridge, 'instances changed').length === 3)
    await until(async () => {
      await askTimes(proxy, 3)
      return listRequests(frozen!).length > before
    })
  })
})
