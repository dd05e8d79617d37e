import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { type Changes, watchSources } from './watch.ts'

let folder: string
let changes: Changes

beforeEach(() => {
  folder = temporaryDirectory('watch')
  mkdirSync(join(folder, 'handler'))
  changes = watchSources({ folders: [folder], files: [] })
})
afterEach(() => changes.close())

const write = (file: string) => writeFileSync(join(folder, file), 'export {}\n')

/** A slow machine may report a change of a folder twice. */
async function receive(file: string): Promise<void> {
  while ((await changes.next()) !== join(folder, file));
}

test('each replacement of a file by an editor is a change', async () => {
  for (const _ of [1, 2, 3]) {
    write('a.ts.new')
    renameSync(join(folder, 'a.ts.new'), join(folder, 'a.ts'))
    await receive('a.ts')
  }
})

test('a change before the call of next is not lost', async () => {
  write('handler/a.ts')
  // The system reports the changes in order, so the change of the first file has arrived with the second.
  const second = watchSources({ folders: [folder], files: [] })
  write('handler/b.ts')
  await second.next()
  second.close()
  await receive('handler/b.ts')
})

test('a test and the backup of an editor are no changes', async () => {
  write('a.ts')
  for (const file of ['b.test.ts', '.#a.ts', 'a.ts~']) write(file)
  expect(await changes.next()).toBe(join(folder, 'a.ts'))
})

test('the files of a new folder are watched', async () => {
  mkdirSync(join(folder, 'service/orders'), { recursive: true })
  await receive('service')
  write('service/orders/a.ts')
  await receive('service/orders/a.ts')
})

test('a folder that is removed and created again is watched', async () => {
  rmSync(join(folder, 'handler'), { recursive: true })
  mkdirSync(join(folder, 'handler'))
  await receive('handler')
  write('handler/a.ts')
  await receive('handler/a.ts')
})

test('a folder that replaces another folder is watched', async () => {
  mkdirSync(join(folder, 'new'))
  await receive('new')
  renameSync(join(folder, 'handler'), join(folder, 'old'))
  renameSync(join(folder, 'new'), join(folder, 'handler'))
  // The change reports the last of the three names.
  await changes.next()
  write('handler/a.ts')
  await receive('handler/a.ts')
})
