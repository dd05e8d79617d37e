import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { ask, shares } from '../support/ask.ts'
import { type Instance, startFleet } from '../support/fleet.ts'
import { type NameServer, startNamed } from '../support/named.ts'

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

/** Looks the name up and asks the first `tries` addresses until one accepts. Resolves with the request id, if one did. */
async function askByName(tries: number): Promise<string | undefined> {
  for (const host of (await dns.resolve()).slice(0, tries)) {
    try {
      return (await ask({ host, port: 8080 })).id
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
    }
  }
  return undefined
}

/** The ids of those that found an instance. */
async function askByNameTimes(times: number, tries: number): Promise<string[]> {
  const ids: (string | undefined)[] = []
  for (let time = 0; time < times; time++) ids.push(await askByName(tries))
  return ids.filter((id) => id !== undefined)
}

test('each answer has all addresses, and each is first in its turn', async () => {
  const answers: string[][] = []
  for (let time = 0; time < 30; time++) answers.push(await dns.resolve())
  const hosts = fleet.map(({ host }) => host)
  for (const answer of answers) expect([...answer].sort()).toEqual(hosts)
  expect(hosts.map((host) => answers.filter(([first]) => first === host).length)).toEqual([10, 10, 10])
})

test('clients that look the name up for each connection are shared out evenly', async () => {
  expect(await shares(fleet, await askByNameTimes(30, 1))).toEqual([10, 10, 10])
})

test('a dead instance stays in every answer: only clients that try the next address do not notice', async () => {
  await fleet[0]!.kill()
  expect(await dns.resolve()).toContain(fleet[0]!.host)
  expect(await askByNameTimes(30, 1)).toHaveLength(20)
  expect(await askByNameTimes(30, 3)).toHaveLength(30)
})
