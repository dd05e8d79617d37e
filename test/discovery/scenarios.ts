import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { findLines, type Line, startApp } from '../support/app.ts'
import { listRequests } from '../support/deploy/ask.ts'
import { type Instance, rollingRestarts } from '../support/fleet.ts'
import { listen } from '../support/listen.ts'
import { until } from '../support/services.ts'
import type { SteadyLoad } from '../support/steady-load.ts'
import { startBridge } from './bridge.ts'
import { type Pair, registryEnv } from './pair.ts'
import {
  CLIENTS,
  isSame,
  PATIENCE_MS,
  report,
  SERVICE,
  sendMore,
  setUp,
  sortedAddresses,
  underLoad,
  untilListed,
} from './set-up.ts'

/** Restarts of each instance. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 20)

/** Time without the registry, in seconds. */
const OUTAGE_S = Number(process.env['OUTAGE_S'] ?? 15)

const timeOf = (line: Line | undefined) => Date.parse(String(line?.['@timestamp']))

/** Defines the scenarios of one pair, with the service, the bridge, the registry and the proxy as they are shipped. */
export function testPair(pair: Pair): void {
  const { open, registry: shared } = setUp(pair)

  test(
    `${ROUNDS} rolling restarts of three instances lose no request`,
    async () => {
      const chain = await open()
      const result = await underLoad(chain, async (load) => {
        await rollingRestarts(chain.fleet, {
          times: ROUNDS,
          underWay: () => until(() => load.inFlight() >= CLIENTS / 2, PATIENCE_MS),
        })
        await until(() => load.sent() > ROUNDS * 1_000, PATIENCE_MS)
      })
      report(pair, `${ROUNDS} rolling restarts`, result)
      if (result.failures.length > 0) process.stdout.write(chain.proxy.log())
      expect(result.failures).toEqual([])
    },
    ROUNDS * 60_000,
  )

  test('a scale from two instances to five and back loses no request', async () => {
    // With this delay, a removed instance would still serve: only the proxy keeps requests away from it.
    const chain = await open({ size: 5, env: { DRAIN_DELAY_MS: '8000' } })
    const [stay, move] = [chain.fleet.slice(0, 2), chain.fleet.slice(2)]
    await Promise.all(move.map((instance) => instance.stop()))
    await untilListed(chain.proxy, stay)
    let [added, removed] = [0, 0]
    const result = await underLoad(chain, async (load) => {
      const before = load.sent()
      await Promise.all(move.map((instance) => instance.start()))
      await Promise.all(move.map((instance) => instance.app().line({ message: 'request' })))
      added = Math.max(...move.map((each) => timeOf(listOwn(each)[0]) - timeOf(findLines(each.app(), 'serving')[0])))
      expect(load.sent()).toBeGreaterThan(before)
      const ends = move.map((instance) => instance.stop())
      await untilListed(chain.proxy, stay)
      await serveMore(load, stay)
      const counts = move.map((instance) => listOwn(instance).length)
      await sendMore(load, 500)
      expect(move.map((instance) => listOwn(instance).length)).toEqual(counts)
      await Promise.all(ends)
      removed = Math.max(
        ...move.map((each) => timeOf(listOwn(each).at(-1)) - timeOf(findLines(each.app(), 'deregistered')[0])),
      )
    })
    const times = `first request ${added} ms after the start, last request ${removed} ms after the deregistration`
    report(pair, 'scale 2 → 5 → 2', result, times)
    expect(result.failures).toEqual([])
  }, 240_000)

  test('kill -9 of an instance loses no idempotent request', async () => {
    const chain = await open()
    const [victim, ...others] = chain.fleet
    let gone = 0
    const result = await underLoad(chain, async (load) => {
      // SIGSTOP makes requests wait for the instance, so that it has requests when it is killed.
      const stoppedAt = performance.now()
      victim!.app().signal('SIGSTOP')
      await until(() => load.inFlight() >= CLIENTS / 2, PATIENCE_MS)
      await victim!.kill()
      const remaining = sortedAddresses(others)
      await until(async () => isSame(await chain.proxy.usable(), remaining), PATIENCE_MS)
      gone = Math.round(performance.now() - stoppedAt)
      await sendMore(load, 500)
      await victim!.start()
      await victim!.app().line({ message: 'request' })
    })
    report(pair, 'kill -9', result, `gone from the proxy ${gone} ms after its last response`)
    expect(result.failures.filter(({ method }) => method === 'GET')).toEqual([])
  }, 240_000)

  test('an outage of the registry that loses its data changes nothing at the proxy', async () => {
    const chain = await open()
    const all = sortedAddresses(chain.fleet)
    const changes: string[] = []
    let back = 0
    const result = await underLoad(chain, async (load) => {
      await chain.registry.kill()
      const stopWatch = watchList(chain.proxy.listed, all, changes)
      try {
        const end = performance.now() + OUTAGE_S * 1_000
        await until(() => performance.now() > end, PATIENCE_MS)
        await chain.registry.startEmpty()
        const startedAt = performance.now()
        await until(async () => isSame(await chain.registry.list(SERVICE), all), PATIENCE_MS)
        back = Math.round(performance.now() - startedAt)
        await sendMore(load, 2_000)
      } finally {
        await stopWatch()
      }
    })
    report(pair, `registry down for ${OUTAGE_S} s, then empty`, result, `all registered again after ${back} ms`)
    expect(result.failures).toEqual([])
    expect(changes).toEqual([])
    for (const { app } of chain.fleet) expect(findLines(app(), 'registration failed').length).toBeGreaterThan(0)
  }, 300_000)

  test('kill -9 and restart of the bridge loses no request, and the bridge continues', async () => {
    const chain = await open()
    const [leaving, ...others] = chain.fleet
    const result = await underLoad(chain, async (load) => {
      await chain.bridge.kill()
      await sendMore(load, 1_000)
      expect(await chain.proxy.listed()).toEqual(sortedAddresses(chain.fleet))
      chain.bridge.start()
      await sendMore(load, 1_000)
      await leaving!.stop()
      await untilListed(chain.proxy, others)
      await leaving!.start()
      await leaving!.app().line({ message: 'request' })
    })
    report(pair, 'bridge killed', result)
    expect(result.failures).toEqual([])
  }, 240_000)

  test('a mistake in the configuration is a line in the logs, and the service serves', async () => {
    // A registry that is down would look like a mistake.
    await shared().list(SERVICE)
    const garbage = await startGarbage()
    try {
      const url = new URL(shared().address)
      url.port = String(garbage.port)
      const mistakes = [...pair.mistakes(shared()), { name: 'garbage', env: { REGISTRY: url.href } }]
      for (const { name, env } of mistakes) {
        const wrong = { ...registryEnv(shared()), ...env }
        const app = await startApp({ env: wrong })
        const line = await app.line({ message: 'registration failed' })
        process.stdout.write(`${pair.name}: ${name}: ${line['error.message']}\n`)
        expect((await fetch(`${app.url}/ping`)).status).toBe(200)
        expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
        app.signal('SIGINT')
        expect((await app.ended).code).toBe(0)
        await expectBridgeWarning(pair, name, wrong)
      }
    } finally {
      await garbage.stop()
    }
  }, 120_000)
}

/** Lists the requests of the current process of an instance. */
const listOwn = (instance: Instance) => findLines(instance.app(), 'request')

/** Waits until the instances have served more requests. By then, they have also served every earlier request. */
async function serveMore(load: SteadyLoad, instances: readonly Instance[]): Promise<void> {
  const count = () => instances.flatMap(listRequests).length
  const before = count()
  await sendMore(load, 100)
  await until(() => count() >= before + 100, PATIENCE_MS)
}

/** Records every list of the proxy that differs from `expected`. Returns a function that ends the watch. */
function watchList(
  listed: () => Promise<readonly string[]>,
  expected: readonly string[],
  changes: string[],
): () => Promise<void> {
  const end = new AbortController()
  const watch = async () => {
    while (!end.signal.aborted) {
      const now = await listed()
      if (!isSame(now, expected)) changes.push(now.join())
      await sleep(100)
    }
  }
  const done = watch()
  // The returned function reports an error of the watch.
  done.catch(() => {})
  return () => {
    end.abort()
    return done
  }
}

/** Starts the bridge of a proxy that has instances. Expects a warning, and an unchanged list of the proxy. */
async function expectBridgeWarning(pair: Pair, name: string, env: Readonly<Record<string, string>>): Promise<void> {
  const proxy = await pair.startProxy()
  const before = await proxy.listed()
  const bridge = startBridge({ ...env, BRIDGE_SERVICE: SERVICE, ...proxy.bridge })
  try {
    const warning = () => bridge.lines.find((line) => ['warn', 'error'].includes(String(line['log.level'])))
    await until(() => warning() !== undefined, PATIENCE_MS)
    process.stdout.write(`${pair.name}: bridge, ${name}: ${warning()!['message']}: ${warning()!['error.message']}\n`)
    expect(await proxy.listed()).toEqual(before)
  } finally {
    await bridge.kill()
    await proxy.stop()
  }
}

/** Starts a server that responds with garbage to every request. */
const startGarbage = () => listen(createServer((_req, res) => res.end('<html>\u0000not a registry')))
