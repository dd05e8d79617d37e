import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createStateFile } from './state-file.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'state-'))
  path = join(directory, 'state.json')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const endpoints = [
  { host: '10.0.0.1', port: 80, weight: 1 },
  { host: '::1', port: 81, weight: 2.5 },
]

test('a saved list is read again, and no temporary file stays', async () => {
  const state = createStateFile(path, 'orders')
  await expect(state.read()).resolves.toBeUndefined()
  await state.publish(endpoints)
  await expect(state.read()).resolves.toEqual(endpoints)
  expect(readdirSync(directory)).toEqual(['state.json'])
})

test.each([
  ['cut', (text: string) => text.slice(0, -20)],
  ['empty', () => ''],
  ['changed', (text: string) => text.replace('10.0.0.1', '10.0.0.2')],
  ['another format', () => '[]'],
  ['null', () => 'null'],
])('a damaged file is an error: %s', async (_name, damage) => {
  const state = createStateFile(path, 'orders')
  await state.publish(endpoints)
  writeFileSync(path, damage(readFileSync(path, 'utf8')))
  await expect(state.read()).rejects.toThrow(/damaged|another service/)
})

test('the list of another service is an error', async () => {
  await createStateFile(path, 'orders').publish(endpoints)
  await expect(createStateFile(path, 'stock').read()).rejects.toThrow('the list of another service: "orders"')
})

test('a directory in place of the file is an error', async () => {
  await expect(createStateFile(directory, 'orders').read()).rejects.toThrow('is not a file')
  await expect(createStateFile(directory, 'orders').publish(endpoints)).rejects.toThrow()
})

test('a failed write keeps the old file', async () => {
  const state = createStateFile(path, 'orders')
  await state.publish(endpoints)
  // A directory with the name of the temporary file makes the write fail for every user, also for root.
  mkdirSync(`${path}.new`)
  await expect(state.publish([])).rejects.toMatchObject({ code: 'EISDIR' })
  await expect(state.read()).resolves.toEqual(endpoints)
})
