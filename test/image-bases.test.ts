import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { run } from './support/run.ts'
import { temporaryDirectory } from './support/temporary.ts'

const bin = temporaryDirectory('image-bases')
// This stand-in prints its arguments.
writeFileSync(join(bin, 'buildah'), '#!/bin/sh\nprintf "%s\\n" "$@"\n')
chmodSync(join(bin, 'buildah'), 0o755)

const digest = (digit: string) => `sha256:${digit.repeat(64)}`
const PINNED = { BUILD_IMAGE: `node@${digest('a')}`, RUNTIME_IMAGE: `base:12@${digest('b')}` }

const makeImage = (env: Readonly<Record<string, string>>) =>
  run('sh', ['scripts/image.sh'], {
    env: { PATH: `${bin}:${process.env['PATH']}`, ENGINE: 'buildah', ALLOW_UNPINNED_BASE: '', ...env },
  })

test('make image accepts bases that have a digest', async () => {
  const { code, stdout } = await makeImage(PINNED)
  expect(code).toBe(0)
  for (const [name, image] of Object.entries(PINNED)) expect(stdout).toContain(`\n${name}=${image}\n`)
})

test.each([
  ['BUILD_IMAGE', 'node:26'],
  ['RUNTIME_IMAGE', 'base:latest'],
  ['RUNTIME_IMAGE', 'base@sha256:abc'],
])('%s=%s is rejected, because its content may change', async (name, image) => {
  const { code, stdout, stderr } = await makeImage({ ...PINNED, [name]: image })
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain(`${name} is ${image}, which has no digest`)
  expect(stderr).toContain(`docker pull ${image} && docker image inspect --format '{{index .RepoDigests 0}}' ${image}`)
})

test('a base of the Dockerfile needs a digest too', async () => {
  const { BUILD_IMAGE: image } = PINNED
  const [, given = ''] = /^ARG RUNTIME_IMAGE=(.*)$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? []
  const { code, stderr } = await makeImage({ BUILD_IMAGE: image, RUNTIME_IMAGE: '' })
  if (given.includes('@sha256:')) expect(code).toBe(0)
  else expect([code, stderr]).toEqual([1, expect.stringContaining(`RUNTIME_IMAGE is ${given}, which has no digest`)])
})

test('ALLOW_UNPINNED_BASE=1 accepts bases without a digest', async () => {
  const { code, stdout } = await makeImage({ BUILD_IMAGE: 'node:26', RUNTIME_IMAGE: '', ALLOW_UNPINNED_BASE: '1' })
  expect(code).toBe(0)
  expect(stdout).toContain('\nBUILD_IMAGE=node:26\n')
})
