import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, jest, test } from '@jest/globals'
import { run, succeed } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { cloneTo, type WorkingTree, workingTree } from './working-tree.ts'

jest.setTimeout(600_000)

const { name: TEMPLATE_NAME } = JSON.parse(readFileSync('package.json', 'utf8'))
const directory = temporaryDirectory('upgrade')

/** Writes a page with enough lines for two changes that do not conflict. */
const page = (title: string) =>
  [`# ${title} of ${TEMPLATE_NAME}`, ...Array.from({ length: 20 }, (_, index) => `Line ${index}.`), ''].join('\n')

let template: WorkingTree
let service: WorkingTree
const upgrade = (...args: string[]) => service.make('upgrade', `TEMPLATE=${template.path}`, 'REF=HEAD', ...args)
const record = () => JSON.parse(service.read('.template.json'))
const hasFile = async (file: string) => (await service.files()).includes(file)

beforeAll(async () => {
  template = await cloneTo(join(directory, 'template'))
  for (const name of ['both', 'renamed-here', 'renamed-there', 'deleted-here', 'conflict'])
    template.write(`docs/pages/${name}.md`, page(name))
  template.write('deploy/systemd/old.conf', '')
  await template.commit('Version 1')
  service = await cloneTo(join(directory, 'service'), template.path)
})

test('an upgrade of the template itself is rejected', async () => {
  expect((await upgrade()).stderr).toMatch(/\.template\.json.*Error 64/s)
})

test('a service of the newest commit is up to date', async () => {
  expect(await service.make('init', 'NAME=orders', 'EXAMPLE=no', 'DEPLOY=kubernetes,systemd')).toMatchObject({
    code: 0,
  })
  expect((await upgrade()).stdout).toContain('up to date')
})

test('an upgrade is one commit, keeps the changes of the service, and leaves no reference behind', async () => {
  service.replace('docs/pages/both.md', 'Line 2.', 'Line 2 of the service.')
  service.replace('docs/pages/renamed-there.md', 'Line 2.', 'Line 2 of the service.')
  service.replace('docs/pages/conflict.md', 'Line 2.', 'Line 2 of the service.')
  renameSync(service.at('docs/pages/renamed-here.md'), service.at('docs/own.md'))
  rmSync(service.at('docs/pages/deleted-here.md'))
  service.replace('package.json', '"version": "0.1.0"', '"version": "7.0.0"')
  await service.commit('Ours')

  for (const name of ['both', 'renamed-here', 'renamed-there', 'deleted-here'])
    template.replace(`docs/pages/${name}.md`, 'Line 15.', 'Line 15 of the template.')
  renameSync(template.at('docs/pages/renamed-there.md'), template.at('docs/pages/moved.md'))
  template.replace('package.json', '"version": "', '"version": "9')
  template.write(
    'docs/pages/new.md',
    `About ${TEMPLATE_NAME}\n\n- [nginx](../../deploy/nginx/new.conf)\n- [systemd](../../deploy/systemd)\n`,
  )
  template.write('deploy/nomad/app.nomad', `job "${TEMPLATE_NAME}" {}\n`)
  template.write('deploy/nginx/new.conf', '')
  rmSync(template.at('deploy/systemd/old.conf'))
  const commit = await template.commit('Version 2')

  const [refs = '', worktrees = ''] = await service.state()
  // A hook of the service may need packages of the new version.
  const hooks = temporaryDirectory('hooks')
  writeFileSync(join(hooks, 'pre-commit'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  await service.git('config', 'core.hooksPath', hooks)
  const { code, stderr } = await upgrade()
  await service.git('config', '--unset', 'core.hooksPath')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })

  expect(service.read('docs/pages/both.md')).toMatch(/Line 2 of the service\..*Line 15 of the template\./s)
  expect(service.read('docs/own.md')).toMatch(/of orders.*Line 15 of the template\./s)
  expect(service.read('docs/pages/moved.md')).toMatch(/Line 2 of the service\..*Line 15 of the template\./s)
  expect(JSON.parse(service.read('package.json')).version).toBe('7.0.0')
  expect(service.read('docs/pages/new.md')).toBe('About orders\n\n- [systemd](../../deploy/systemd)\n')
  for (const gone of ['renamed-here', 'renamed-there', 'deleted-here'])
    expect({ gone, is: await hasFile(`docs/pages/${gone}.md`) }).toEqual({ gone, is: false })
  for (const gone of ['deploy/systemd/old.conf', 'scripts/init.ts'])
    expect({ gone, is: await hasFile(gone) }).toEqual({ gone, is: false })
  expect(
    readdirSync(service.at('deploy'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['kubernetes', 'systemd'])
  expect(record()).toMatchObject({ commit, name: 'orders', example: 'no', deploy: 'kubernetes,systemd' })

  const [head = '', ...others] = refs.split('\n')
  const [newRefs = '', newWorktrees, status] = await service.state()
  const [newHead, ...newOthers] = newRefs.split('\n')
  expect(newHead).not.toBe(head)
  expect(newOthers).toEqual(others)
  expect(newWorktrees).toBe(worktrees.replace(/[0-9a-f]{7,}/, await service.git('rev-parse', '--short', 'HEAD')))
  expect(status).toBe('')
  expect(await service.git('rev-list', '--count', `${head.slice(0, 40)}..HEAD`)).toBe('1')
})

test('an upgrade makes each version of the template with the init script of that version', async () => {
  const made = 'makeService(template, { ...choices, owner }, origin)'
  template.replace('scripts/init.ts', made, `new Map([...${made}, ['OWNERS', \`Team of \${choices.name}\\n\`]])`)
  template.replace('docs/pages/moved.md', 'Line 18.', 'Line 18 of the template.')
  service.replace('docs/pages/moved.md', 'Line 5.', 'Line 5 of the service.')
  service.write('internal/own.ts', 'export const own = 1\n')
  await service.commit('More of ours')
  const commit = await template.commit('Version 3')

  const { code, stderr } = await upgrade()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(service.read('OWNERS')).toBe('Team of orders\n')
  expect(service.read('docs/pages/moved.md')).toMatch(
    /Line 2 of the service.*Line 5 of the service.*Line 15 of the template.*Line 18 of the template/s,
  )
  expect(await hasFile('internal/own.ts')).toBe(true)
  expect(record()).toMatchObject({ commit })
  expect((await upgrade()).stdout).toContain('up to date')
})

test('both sides may add a migration: the list keeps both, and the earlier migration of the template runs late', async () => {
  const list = 'internal/store/migrations/index.ts'
  const add = (tree: WorkingTree, name: string, variable: string) => {
    tree.write(`internal/store/migrations/${name}.ts`, "export const up = 'select'\n")
    tree.replace(list, '\n\n', `\nimport * as ${variable} from './${name}.ts'\n\n`)
    tree.replace(list, '\n}\n', `\n  '${name}': ${variable},\n}\n`)
  }
  add(template, '20261201000000-of-the-template', 'ofTheTemplate')
  add(service, '20261202000000-of-the-service', 'ofTheService')
  await service.commit('A migration of ours')
  await template.commit('A migration of the template')
  const next = expect.stringContaining('Try: make lint types unit e2e')
  expect(await upgrade()).toMatchObject({ code: 0, stderr: '', stdout: next })
  for (const line of [
    "import * as ofTheTemplate from './20261201000000-of-the-template.ts'",
    "import * as ofTheService from './20261202000000-of-the-service.ts'",
    "  '20261201000000-of-the-template': ofTheTemplate,",
    "  '20261202000000-of-the-service': ofTheService,",
  ])
    expect(service.read(list).split('\n')).toContain(line)
  expect(service.read(list)).not.toMatch(/[<=>]{7}/)
})

test('a line that both sides changed is a conflict, and aborting it restores the service', async () => {
  template.replace('docs/pages/conflict.md', 'Line 2.', 'Line 2 of the template.')
  await template.commit('Version 4')
  const before = await service.git('rev-parse', 'HEAD')
  const { code, stderr } = await upgrade()
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/In conflict:\n {2}docs.pages.conflict\.md\n/)
  expect(service.read('docs/pages/conflict.md')).toMatch(/<<<<<<<.*of the service.*of the template.*>>>>>>>/s)
  expect((await upgrade()).stderr).toContain('uncommitted changes')
  await service.git('cherry-pick', '--abort')
  expect([await service.git('rev-parse', 'HEAD'), await service.git('status', '--porcelain')]).toEqual([before, ''])
  expect(service.read('docs/pages/conflict.md')).toContain('Line 2 of the service.')
})

test('a resolved conflict does not come back', async () => {
  await upgrade()
  await service.git('checkout', '--ours', 'docs/pages/conflict.md')
  await service.git('add', '--all')
  await service.git('-c', 'core.editor=true', 'cherry-pick', '--continue')
  expect(service.read('docs/pages/conflict.md')).toContain('Line 2 of the service.')
  expect((await upgrade()).stdout).toContain('up to date')
  template.replace('docs/pages/conflict.md', 'Line 15.', 'Line 15 of the template.')
  const commit = await template.commit('Version 5')
  expect(await upgrade()).toMatchObject({ code: 0 })
  expect(service.read('docs/pages/conflict.md')).toMatch(/Line 2 of the service\..*Line 15 of the template\./s)
  expect(record()).toMatchObject({ commit })
})

test.each([
  ['an unknown ref', ['REF=nowhere'], 'the template has no nowhere'],
  ['a missing template', ['TEMPLATE=/nowhere'], "'/nowhere' does not exist"],
  ['a ref whose init fails', ['REF=broken'], 'init.ts'],
])('an upgrade from %s changes nothing', async (_title, args, message) => {
  await template.git('checkout', '--quiet', '-B', 'broken')
  template.write('scripts/init.ts', `throw new Error('broken ${args.join()}')\n`)
  await template.commit('Broken')
  await template.git('checkout', '--quiet', '-')
  const before = await service.state()
  const { code, stderr } = await upgrade(...args)
  expect(code).not.toBe(0)
  expect(stderr).toContain(message)
  expect(await service.state()).toEqual(before)
})

test('an upgrade from a template without the recorded commit names the commit', async () => {
  const lost = '0123456789'.repeat(4)
  service.write('.template.json', JSON.stringify({ ...record(), commit: lost }))
  await service.commit('A commit that the template does not have')
  expect((await upgrade()).stderr).toContain(`the template has no ${lost}`)
})

test('an upgrade in a subfolder of a repository is refused, because it would change the whole repository', async () => {
  const outer = join(directory, 'outer')
  await succeed('git', ['clone', '--quiet', service.path, join(outer, 'orders')])
  rmSync(join(outer, 'orders/.git'), { recursive: true })
  await succeed('git', ['init', '--quiet'], { cwd: outer })
  const tree = workingTree(outer)
  await tree.commit('A repository of several services')
  const env = { TEMPLATE: template.path, REF: 'HEAD' }
  const result = await run(process.execPath, ['scripts/upgrade.ts'], { cwd: join(outer, 'orders'), env })
  expect(result).toMatchObject({ code: 64, stderr: expect.stringContaining('not the root of a git repository') })
  expect(await tree.git('status', '--porcelain')).toBe('')
})

test('a service that was made before licenses were a choice keeps its license, and finds the template by itself', async () => {
  const older = await cloneTo(join(directory, 'older-template'))
  const now = await older.git('rev-parse', 'HEAD')
  // The older script set MIT, and recorded neither the license nor the address of the template.
  older.replace('scripts/template/choices.ts', "history === 'reset' && given['LICENSE'] === undefined", 'true')
  older.replace('scripts/template/make-service.ts', 'template: url, ...choices }', '...choices, license: undefined }')
  await older.commit('Older')
  const made = await cloneTo(join(directory, 'older-service'), older.path)
  expect(await made.make('init', 'NAME=orders')).toMatchObject({ code: 0 })
  const license = made.read('LICENSE')
  expect(license).toContain('the orders authors')
  expect(JSON.parse(made.read('.template.json'))).not.toHaveProperty('license')

  await older.git('checkout', '--quiet', now, '--', '.')
  await older.commit('Newer')
  const address = `file://${older.path}`
  expect((await made.make('upgrade')).stderr).toContain('TEMPLATE is missing')
  expect(await made.make('upgrade', `TEMPLATE=${address}`, 'REF=HEAD')).toMatchObject({ code: 0, stderr: '' })
  expect(made.read('LICENSE')).toBe(license)
  expect(JSON.parse(made.read('package.json'))).toMatchObject({ license: 'MIT' })
  expect(JSON.parse(made.read('.template.json'))).toMatchObject({ license: 'MIT', owner: 'the orders authors' })

  made.write('.template.json', JSON.stringify({ ...JSON.parse(made.read('.template.json')), template: address }))
  await made.commit('The address of the template')
  expect((await made.make('upgrade', 'REF=HEAD')).stdout).toContain('up to date')
})
