import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { restartInstance } from '#pkg/respond/commands.ts'
import { bootMachine, findObstacle, type Machine } from '../../test/support/machine.ts'

const obstacle = await findObstacle()
if (obstacle !== undefined) {
  const message = `THE RESPONDER WAS NOT TESTED WITH SYSTEMD.\n${obstacle}\n`
  if (process.env['CI'] === 'true') throw new Error(message)
  process.stderr.write(message)
}
// The test waits for events. The timeout has room for a very busy machine.
jest.setTimeout(180_000)
const testWithSystemd = obstacle === undefined ? test : test.skip

let machine: Machine
beforeAll(async () => {
  if (obstacle !== undefined) return
  machine = await bootMachine({})
  const unit = machine.path('/etc/systemd/system/app@.service')
  mkdirSync(dirname(unit), { recursive: true })
  writeFileSync(unit, '[Service]\nExecStart=/bin/sleep infinity\n')
  await machine.succeed('systemctl', 'daemon-reload')
}, 600_000)
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]()
})

testWithSystemd('the responder restarts a running instance, and starts no other instance', async () => {
  const run = (file: string, args: readonly string[]) => machine.succeed(file, ...args)
  const restart = (target: string) =>
    restartInstance({ type: 'restart_instance', systemd: { unit: 'app' } }, target, run)
  const show = async (unit: string, property: string) =>
    (await machine.succeed('systemctl', 'show', '--value', '--property', property, unit)).trim()
  await machine.succeed('systemctl', 'start', 'app@9465')
  const before = await show('app@9465', 'MainPID')
  await restart('app@9465')
  expect(await show('app@9465', 'MainPID')).not.toBe(before)
  await expect(restart('app@9466')).rejects.toThrow('systemd does not run app@9466.service')
  expect(await show('app@9466', 'ActiveState')).toBe('inactive')
})
