import { createServer } from 'node:http'
import { expect, test } from '@jest/globals'
import { createEnvoySink } from '#pkg/bridge/index.ts'
import { ask } from '../../test/support/deploy/ask.ts'
import { listen } from '../../test/support/listen.ts'
import { until } from '../../test/support/services.ts'
import { startEnvoy } from './start-envoy.ts'

test('Envoy sends every request to the last ready instance, and none to two instances that are not ready', async () => {
  const envoy = await startEnvoy()
  const { publish, handle } = createEnvoySink({ service: 'my-service' })
  const bridge = await listen(createServer(handle), Number(envoy.bridge['BRIDGE_SINK']?.split(':').at(-1)))
  const instances = await Promise.all(
    [200, 503, 503].map((health) =>
      listen(
        createServer((req, res) => {
          res.statusCode = req.url?.startsWith('/health/') ? health : 200
          res.end(String(health))
        }),
      ),
    ),
  )
  try {
    await publish(instances.map(({ port }) => ({ host: '127.0.0.1', port, weight: 1 })))
    await until(async () => (await envoy.listed()).length === 3 && (await envoy.usable()).length === 1)
    for (let count = 0; count < 20; count++) expect(await ask(envoy)).toMatchObject({ status: 200, body: '200' })
  } finally {
    await envoy.stop()
    await Promise.all([bridge, ...instances].map(({ stop }) => stop()))
  }
}, 300_000)
