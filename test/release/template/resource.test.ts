import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type RunningApp, runApp, startApp } from '../../support/app.ts'
import type { OpenapiDocument } from '../../support/openapi.ts'
import { run, succeed } from '../../support/run.ts'
import { type TestService, testPostgres } from '../../support/services.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { cloneTo, type WorkingTree } from './working-tree.ts'

jest.setTimeout(600_000)

const directory = temporaryDirectory('resource')
let service: WorkingTree
const resource = (...choices: string[]) => service.make('resource', ...choices)
const make = (...targets: string[]) => succeed('make', targets, { cwd: service.path })
const status = () => service.git('status', '--porcelain')

const ALL_TYPES = [
  ...['name:string:unique', 'nickName:string?', 'about:text', 'remarks:text?', 'logins:int', 'age:int?'],
  ...['score:number', 'weight:number?', 'isActive:boolean', 'isAdmin:boolean?', 'bornOn:date', 'diedOn:date?'],
  ...['joinedAt:timestamp', 'leftAt:timestamp?', 'account:uuid:unique', 'invitedBy:uuid?', 'rank:int?:unique'],
  ...['default:string', 'class:string', 'order:int', 'user:uuid', 'line2:string', 'day:date:unique'],
  ...['plan:enum(free|Pro|on-hold)', 'level:enum(a)?', 'balance:decimal(12,2):sort', 'ratio:decimal(4,4)?'],
  ...[
    'points:decimal(5,0):unique',
    'views:bigint:sort',
    'clicks:bigint?',
    'seat:bigint:unique',
    'weightKg:number:sort',
  ],
  ...['settings:json', 'extra:json?', 'title:string:sort', 'startsOn:date:sort', 'seenAt:timestamp:sort'],
]

/** Each field refers to a resource that is older. */
const REFERENCES = [
  ...['order:references(order)', 'sentBy:references(user-profile)?', 'replaces:references(order)?'],
  ...['invoice:references(order):unique', 'isGift:boolean'],
]

beforeAll(async () => {
  service = await cloneTo(join(directory, 'service'))
  expect(await service.make('init', 'NAME=shop', 'EXAMPLE=no', 'DEPLOY=kubernetes')).toMatchObject({ code: 0 })
})

let database: TestService
afterAll(() => database?.stop())

test.each([
  ['no name', [], 'NAME: is missing'],
  ['no fields', ['NAME=order'], 'FIELDS: is missing'],
  ['an invalid name', ['NAME=../x', 'FIELDS=a:int'], /NAME: got "..\/x"/],
  ['an invalid field', ['NAME=order', 'FIELDS=id:uuid'], /FIELDS: got "id:uuid"/],
  ['an enum without values', ['NAME=order', 'FIELDS=state:enum()'], /FIELDS: got "state:enum\(\)", expected values/],
  ['an unknown parent', ['NAME=order', 'FIELDS=a:int', 'PARENT=customer'], /PARENT: there is no resource "customer"/],
  ['an unknown resource', ['NAME=order', 'FIELDS=buyer:references(customer)'], /there is no resource "customer"/],
  ['the name of an existing file', ['NAME=probe', 'FIELDS=a:int'], 'internal/handler/probes.ts already exists'],
  ['the name of a folder of tests', ['NAME=support', 'PLURAL=support', 'FIELDS=a:int'], 'test/support/app.ts already'],
  ['the name of an import', ['NAME=page', 'FIELDS=a:int'], 'would have the name Page'],
])('%s is refused, and no file is written', async (_title, choices, message) => {
  const { code, stderr } = await resource(...choices)
  expect(code).not.toBe(0)
  expect(stderr).toMatch(message)
  expect(stderr).toMatch(/Error 64$/m)
  expect(await status()).toBe('')
})

test('NAME in the environment is ignored, since it may be the name of the machine', async () => {
  const { stderr } = await run('make', ['resource', 'FIELDS=a:int'], { cwd: service.path, env: { NAME: 'laptop' } })
  expect(stderr).toContain('NAME: is missing')
})

test('make resource fails and writes no file when a registration list is missing', async () => {
  const file = join(service.path, 'internal/resources.ts')
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('RESOURCES', 'THINGS'))
  const { code, stderr } = await resource('NAME=order', 'FIELDS=a:int')
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/has no list RESOURCES.*Error 64$/ms)
  expect(await status()).toBe('M internal/resources.ts')
  await service.git('checkout', '--quiet', '.')
})

test('generated resources, one of them under the paths of another, pass lint, types and their own tests without a change', async () => {
  expect(await resource('NAME=user-profile', `FIELDS=${ALL_TYPES.join(',')}`)).toMatchObject({ code: 0 })
  await service.git('add', '--all')
  await service.git('commit', '--quiet', '--message', 'User profiles')
  const next = expect.stringContaining('Try: make lint types unit e2e T=orders')
  expect(await resource('NAME=order', 'FIELDS=total:int:sort')).toMatchObject({ code: 0, stdout: next })
  expect(await resource('NAME=order', 'FIELDS=total:int')).toMatchObject({
    stderr: expect.stringContaining('internal/store/orders.ts already exists'),
  })
  expect(await resource('NAME=order-line', `FIELDS=${REFERENCES.join(',')}`)).toMatchObject({ code: 0 })

  expect(await resource('NAME=sheep', 'PLURAL=sheep', 'FIELDS=name:string:unique')).toMatchObject({ code: 0 })
  const bell = ['NAME=sheep-bell', 'PARENT=sheep', 'FIELDS=tone:enum(low|high),weight:int:sort']
  expect(await resource(...bell)).toMatchObject({ code: 0 })

  await make('lint', 'types', 'unit', 'build')
  const options = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--selectProjects', 'e2e', '--']
  const files = [
    'test/sheep.test.ts',
    'test/sheep-bells.test.ts',
    'test/user-profiles.test.ts',
    'test/orders.test.ts',
    'test/order-lines.test.ts',
    'test/openapi-rules.test.ts',
  ]
  await succeed(join(service.path, '.toolchain/bin/node'), [...options, ...files], { cwd: service.path })
})

test('the artifact serves the resources and describes them', async () => {
  database = await testPostgres()
  const options = { program: [join(service.path, 'dist/app')], env: { DATABASE_URL: database.url } }
  expect(await runApp(['migrate'], options)).toMatchObject({ code: 0 })
  const app: RunningApp = await startApp(options)
  const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"total":7}' }
  const created = await fetch(`${app.url}/v1/orders`, sent)
  expect([created.status, await created.json()]).toEqual([201, expect.objectContaining({ total: 7, version: 1 })])
  const { paths } = (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenapiDocument
  expect(paths['/v1/orders']?.['post']?.operationId).toBe('createOrder')
  expect(Object.keys(paths['/v1/user-profiles/{id}'] ?? {})).toEqual(['get', 'patch', 'delete'])
  const filtered = await fetch(`${app.url}/v1/order-lines?isGift=true&sentBy=0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90`)
  expect([filtered.status, await filtered.json()]).toEqual([200, { items: [], next: null }])
  expect((await fetch(`${app.url}/v1/order-lines?isGift=1`)).status).toBe(422)
  app.signal('SIGINT')
  expect(await app.ended).toMatchObject({ code: 0 })
})

test.each([
  ['tags', ['NAME=tag'], []],
  ['fish', ['NAME=fish', 'PLURAL=fish'], []],
  ['order-tags', ['NAME=order-tag'], ['PARENT=order']],
])('make remove-resource undoes make resource for %s', async (plural, names, more) => {
  await service.git('add', '--all')
  await service.git('commit', '--quiet', '--allow-empty', '--message', 'Orders')
  expect(await resource(...names, ...more, 'FIELDS=label:string')).toMatchObject({ code: 0 })
  expect(await status()).not.toBe('')
  const { code, stdout } = await service.make('remove-resource', ...names)
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`internal/store/${plural}.ts`) })
  expect(await status()).toBe('')
})

test('Git merges two branches that have each generated a resource, and both resources can be removed', async () => {
  const start = await service.git('rev-parse', 'HEAD')
  const branch = await service.git('branch', '--show-current')
  for (const name of ['zebra', 'apple']) {
    await service.git('checkout', '--quiet', '-b', name, start)
    expect(await resource(`NAME=${name}`, 'FIELDS=label:string')).toMatchObject({ code: 0 })
    await service.commit(`Add ${name}`)
  }
  await service.git('merge', '--quiet', '--no-edit', 'zebra')
  await make('fmt')
  await make('lint', 'types')
  for (const plural of ['apples', 'zebras', 'orders']) {
    expect(service.read('internal/resources.ts')).toContain(`, ${plural}),`)
    expect(service.read('internal/store/migrations/index.ts')).toContain(`-${plural}': ${plural},`)
  }
  // Both can be removed, also after the merge.
  await service.git('add', '--all')
  for (const name of ['apple', 'zebra']) {
    expect(await service.make('remove-resource', `NAME=${name}`)).toMatchObject({ code: 0 })
  }
  expect(await service.git('diff', '--stat', start)).toBe('')
  await service.git('reset', '--quiet', '--hard')
  await service.git('checkout', '--quiet', branch)
})

test('make remove-resource rejects a resource that another resource references', async () => {
  const { code, stderr } = await service.make('remove-resource', 'NAME=order')
  expect(code).not.toBe(0)
  expect(stderr).toMatch(
    /NAME: other resources refer to orders, remove them first: order_lines \(migration .*Error 64$/ms,
  )
  expect(await status()).toBe('')
})

test('make remove-resource rejects a resource whose registration has changed', async () => {
  service.replace('internal/resources.ts', 'createOrderLines, orderLines', 'createOrderLines, otherLines')
  const { code, stderr } = await service.make('remove-resource', 'NAME=order-line')
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/internal.resources\.ts does not have the line that make resource wrote.*Error 64$/ms)
  expect(await status()).toBe('M internal/resources.ts')
  await service.git('checkout', '--quiet', '.')
})

test('make remove-resource keeps the table, the other resource works, and a contract migration drops the table', async () => {
  service.write(
    'docs/map.md',
    '- [orders](../internal/handler/orders.ts)\n- [profiles](../internal/handler/user-profiles.ts)\n',
  )
  await service.commit('A page')
  expect(await service.make('remove-resource', 'NAME=order-line')).toMatchObject({ code: 0 })
  const { code, stderr } = await service.make('remove-resource', 'NAME=user-profile')
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/migration \d{14}-user-profiles keeps the table/),
  })
  expect(service.read('docs/map.md')).toBe('- [orders](../internal/handler/orders.ts)\n')
  await make('lint', 'types', 'build')
  const options = { program: [service.at('dist/app')], env: { DATABASE_URL: database.url } }
  expect(await runApp(['migrate'], options)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/does not contain: \d{14}-user-profiles, \d{14}-order-lines\nnothing to apply/),
  })

  const file = (await make('migration', 'NAME=drop-user-profiles')).trim()
  service.write(file, `export const up = 'drop table if exists "order_lines"; drop table if exists "user_profiles"'\n`)
  expect((await service.make('lint')).stderr).toContain("needs `export const phase = 'contract'`")
  service.write(
    file,
    `export const phase = 'contract'\nexport const up = 'drop table if exists "order_lines"; drop table if exists "user_profiles"'\n`,
  )
  await make('lint', 'types', 'build')
  expect(await runApp(['migrate'], options)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/applied \d{14}-drop-user-profiles\n$/),
  })
})
