import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { killApps } from '../../test/support/app.ts'
import { ask, countShares } from '../../test/support/deploy/ask.ts'
import { type Instance, startFleet } from '../../test/support/fleet.ts'
import { type NameServer, startNamed } from './start-named.ts'

let fleet: readonly Instance[]
let dns: NameServer

beforeEach(async () => {
  fleet = await startFleet()
  dns = await startNamed(fleet.map(({ host }) => host))
})
afterEach(async () => {
  await dns.stop()
  await killApps()
})

/**
 * Resolves the name, and sends a request to the first `tries` addresses until one accepts it. @returns the request id,
 * if an address accepts
 */
async function askByName(tries: number): Promise<string | undefined> {
  const port = fleet[0]!.port
  for (const host of (await dns.resolve()).slice(0, tries)) {
    try {
      return (await ask({ host, port })).id
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
    }
  }
  return undefined
}

/** @returns the ids of the requests that reached an instance */
async function askByNameTimes(times: number, tries: number): Promise<string[]> {
  const ids: (string | undefined)[] = []
  for (let time = 0; time < times; time++) ids.push(await askByName(tries))
  return ids.filter((id) => id !== undefined)
}

test('each response has all addresses, and each address is the first in turn', async () => {
  const responses: string[][] = []
  for (let time = 0; time < 30; time++) responses.push(await dns.resolve())
  const hosts = fleet.map(({ host }) => host)
  for (const response of responses) expect([...response].sort()).toEqual(hosts)
  expect(hosts.map((host) => responses.filter(([first]) => first === host).length)).toEqual([10, 10, 10])
})

test('clients that resolve the name for each connection spread evenly', async () => {
  expect(await countShares(fleet, await askByNameTimes(30, 1))).toEqual([10, 10, 10])
})

test('a dead instance stays in every response, so only clients that try the next address lose no request', async () => {
  await fleet[0]!.kill()
  expect(await dns.resolve()).toContain(fleet[0]!.host)
  expect(await askByNameTimes(30, 1)).toHaveLength(20)
  expect(await askByNameTimes(30, 3)).toHaveLength(30)
})
