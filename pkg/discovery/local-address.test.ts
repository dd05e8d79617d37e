import { networkInterfaces } from 'node:os'
import { expect, test } from '@jest/globals'
import { localAddress } from './local-address.ts'

test('the address towards this machine is the loopback address', async () => {
  expect(await localAddress('127.0.0.1', 8500)).toBe('127.0.0.1')
})

const external = Object.values(networkInterfaces())
  .flatMap((addresses = []) => addresses)
  .find(({ internal, family }) => !internal && family === 'IPv4')

const onNetwork = external === undefined ? test.skip : test
onNetwork('the address towards an address of a network is the address of its interface', async () => {
  expect(await localAddress(external?.address ?? '', 8500)).toBe(external?.address)
})

test('a name that does not exist is an error', async () => {
  await expect(localAddress('registry.invalid', 8500)).rejects.toThrow(/registry\.invalid/)
})
