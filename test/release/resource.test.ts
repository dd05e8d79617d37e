import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type RunningApp, runApp, startApp } from '../support/app.ts'
import type { OpenapiDocument } from '../support/openapi.ts'
import { type Result, run, succeed } from '../support/run.ts'
import { type TestService, testPostgres } from '../support/services.ts'
import { temporaryDirectory } from '../support/temporary.ts'

jest.setTimeout(600_000)

const directory = temporaryDirectory('resource')
const service = join(directory, 'service')
const git = async (...args: string[]) => (await succeed('git', args, { cwd: service })).trim()
const make = (...args: string[]): Promise<Result> => run('make', args, { cwd: service })
const resource = (...choices: string[]) => make('resource', ...choices)

const ALL_TYPES = [
  ...['name:string:unique', 'nickName:string?', 'about:text', 'remarks:text?', 'logins:int', 'age:int?'],
  ...['score:number', 'weight:number?', 'isActive:boolean', 'isAdmin:boolean?', 'bornOn:date', 'diedOn:date?'],
  ...['joinedAt:timestamp', 'leftAt:timestamp?', 'account:uuid:unique', 'invitedBy:uuid?', 'rank:int?:unique'],
  ...['default:string', 'class:string', 'order:int', 'user:uuid', 'line2:string', 'day:date:unique'],
]

beforeAll(async () => {
  await succeed('git', ['clone', '--quiet', '.', service])
  await succeed('make', ['init', 'NAME=shop', 'EXAMPLE=no', 'DEPLOY=kubernetes'], { cwd: service })
})

let database: TestService
afterAll(() => database?.stop())

test.each([
  ['no name', [], 'NAME: is missing'],
  ['no fields', ['NAME=order'], 'FIELDS: is missing'],
  ['a name and a field that cannot be', ['NAME=../x', 'FIELDS=id:uuid'], /NAME: got.*FIELDS: got "id:uuid"/s],
  ['a name that is there', ['NAME=probe', 'FIELDS=a:int'], 'internal/handler/probes.ts is there already'],
  ['a name that means something else', ['NAME=page', 'FIELDS=a:int'], 'two things called Page'],
])('%s is an error, and nothing is written', async (_title, choices, message) => {
  const { code, stderr } = await resource(...choices)
  expect(code).not.toBe(0)
  expect(stderr).toMatch(message)
  expect(stderr).toMatch(/Error 64$/m)
  expect(await git('status', '--porcelain')).toBe('')
})

test('the name of the machine is not taken for one that was given', async () => {
  const { stderr } = await run('make', ['resource', 'FIELDS=a:int'], { cwd: service, env: { NAME: 'laptop' } })
  expect(stderr).toContain('NAME: is missing')
})

test('a list that is no longer there to be added to is an error, and nothing is written', async () => {
  const file = join(service, 'internal/resources.ts')
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('RESOURCES', 'THINGS'))
  const { code, stderr } = await resource('NAME=order', 'FIELDS=a:int')
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/there is no list RESOURCES.*Error 64$/ms)
  expect(await git('status', '--porcelain')).toBe('M internal/resources.ts')
  await git('checkout', '--quiet', '.')
})

test('two resources pass everything as they are written', async () => {
  expect(await resource('NAME=user-profile', `FIELDS=${ALL_TYPES.join(',')}`)).toMatchObject({ code: 0 })
  await git('add', '--all')
  await git('commit', '--quiet', '--message', 'User profiles')
  expect(await resource('NAME=order', 'FIELDS=total:int')).toMatchObject({ code: 0 })
  expect(await resource('NAME=order', 'FIELDS=total:int')).toMatchObject({
    stderr: expect.stringContaining('internal/store/orders.ts is there already'),
  })

  const { code, stdout, stderr } = await make('lint', 'types', 'unit', 'build')
  expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' })
  const options = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--selectProjects', 'e2e', '--']
  const files = ['test/user-profiles.test.ts', 'test/orders.test.ts']
  await succeed(join(service, '.toolchain/bin/node'), [...options, ...files], { cwd: service })
})

test('the artifact answers for them and describes them', async () => {
  database = await testPostgres()
  const options = { program: [join(service, 'dist/app')], env: { DATABASE_URL: database.url } }
  expect(await runApp(['migrate'], options)).toMatchObject({ code: 0 })
  const app: RunningApp = await startApp(options)
  const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"total":7}' }
  const created = await fetch(`${app.url}/v1/orders`, sent)
  expect([created.status, await created.json()]).toEqual([201, expect.objectContaining({ total: 7, version: 1 })])
  const { paths } = (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenapiDocument
  expect(paths['/v1/orders']?.['post']?.operationId).toBe('createOrder')
  expect(Object.keys(paths['/v1/user-profiles/{id}'] ?? {})).toEqual(['get', 'patch', 'delete'])
  app.signal('SIGINT')
  expect(await app.ended).toMatchObject({ code: 0 })
})

test('what was written last is taken away by git', async () => {
  await git('restore', '.')
  await git('clean', '--quiet', '--force', 'internal', 'test')
  expect(await git('status', '--porcelain')).toBe('')
  const { code, stdout, stderr } = await make('lint', 'types')
  expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' })
})
