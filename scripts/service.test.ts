import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { runService } from './service.ts'
import { until } from './services/service.ts'
import { watchSources } from './watch.ts'

/*
 * The service of these tests is a small program in a watched folder.
 */

let folder: string
let output: string
let starts: number
let service: ReturnType<typeof runService>

beforeEach(() => {
  folder = temporaryDirectory('service')
  output = ''
  starts = 0
  jest.spyOn(console, 'error').mockImplementation((line) => (output += `${line}\n`))
})
afterEach(async () => {
  service.stop('SIGKILL')
  await service.ended
  jest.restoreAllMocks()
})

const save = (text: string) => writeFileSync(join(folder, 'program.ts'), text)

/** A program that says its name and serves until a signal. */
const program = (name: string, onSignal = 'process.exit()') => `
  process.on('SIGINT', () => { ${onSignal} })
  setInterval(() => {}, 60_000)
  console.log('this is ${name}')
`

function run(beforeStart = () => {}): void {
  const log = new PassThrough()
  log.on('data', (chunk) => (output += chunk))
  service = runService({
    async prepare() {
      starts++
      beforeStart()
      return { args: [join(folder, 'program.ts')], env: process.env }
    },
    onStart() {},
    log,
    changes: watchSources({ folders: [folder], files: [] }),
  })
}

const says = (text: string) => until(() => output.includes(text), 20_000)

test('each save restarts the service', async () => {
  save(program('one'))
  run()
  await says('this is one')
  for (const name of ['two', 'three', 'four']) {
    save(program(name))
    await says(`this is ${name}`)
  }
})

test('a save while the service starts restarts it', async () => {
  save(program('one'))
  run(() => {
    if (starts === 2) save(program('three'))
  })
  await says('this is one')
  save(program('two'))
  await until(() => starts === 3, 20_000)
  await says('this is three')
})

test('a service that ends with an error starts again at the next save', async () => {
  save('process.exit(3)')
  run()
  await says('The service has ended with exit code 3. The next save starts it again.')
  save('process.exit(1)')
  await says('The service has ended with exit code 1. The next save starts it again.')
  save(program('two'))
  await says('this is two')
})

test('a service that ignores SIGINT is killed', async () => {
  save(program('one', ''))
  run()
  await says('this is one')
  save(program('two'))
  await says('this is two')
})

test('a failure of the preparation waits for the next save', async () => {
  save(program('one'))
  run(() => {
    if (starts === 1) throw new Error('.env cannot be read')
  })
  await says('.env cannot be read\nThe service has ended with exit code 78. The next save starts it again.')
  save(program('two'))
  await says('this is two')
})

test('a signal ends the service, and the loop has its exit code', async () => {
  save(program('one', 'process.exit(7)'))
  run()
  await says('this is one')
  service.stop('SIGINT')
  expect(await service.ended).toBe(7)
  expect(starts).toBe(1)
})

test('a second signal kills a service that ignores the first', async () => {
  save(program('one', ''))
  run()
  await says('this is one')
  service.stop('SIGINT')
  service.stop('SIGINT')
  expect(await service.ended).toBe(1)
})

test('a signal while the service waits for a save ends the loop', async () => {
  save('process.exit(3)')
  run()
  await says('The next save starts it again.')
  service.stop('SIGINT')
  expect(await service.ended).toBe(3)
})
