import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, jest, test } from '@jest/globals'
import { run, succeed } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { cloneTo, type WorkingTree } from './working-tree.ts'

// Each service installs its packages and runs make test.
jest.setTimeout(1_800_000)

const { name: TEMPLATE_NAME } = JSON.parse(readFileSync('package.json', 'utf8'))
const directory = temporaryDirectory('init')

const CHOICES = [
  [`NAME=a-${'very-'.repeat(8)}long-name-too`],
  ['NAME=orders', 'DEPLOY=kubernetes,systemd'],
  // The name is that of a package that the service depends on.
  ['NAME=express', 'EXAMPLE=no', 'DEPLOY=kubernetes', 'WITH=none'],
  ['NAME=orders', 'WITH=none', 'LICENSE=Apache-2.0', 'OWNER=Example Ltd', 'HISTORY=keep'],
]

describe.each(CHOICES.map((choices) => ({ choices })))('make init $choices', ({ choices }) => {
  let service: WorkingTree
  beforeAll(async () => {
    service = await cloneTo(join(directory, choices.join('-').replaceAll(/\W/g, '-')))
    const { code, stderr } = await service.make('init', ...choices)
    expect({ code, stderr }).toMatchObject({ code: 0 })
  })

  test('makes one commit, leaves a clean working tree, and removes the old name', async () => {
    const parents = (await service.git('log', '--format=%P', '-1')).split(' ').filter(Boolean)
    expect(parents).toHaveLength(choices.includes('HISTORY=keep') ? 1 : 0)
    expect(await service.git('remote')).toBe('')
    expect(await service.git('status', '--porcelain')).toBe('')
    const spelling = new RegExp(TEMPLATE_NAME.replaceAll('-', '[-_ .]?'), 'i')
    for (const file of await service.files()) {
      const text = `${file}\n${service.read(file)}`
      expect({ file, line: text.split('\n').find((line) => spelling.test(line)) }).toEqual({ file })
    }
  })

  test('make test passes', async () => {
    const { code, stdout, stderr } = await service.make('test')
    expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' })
    expect(await service.git('status', '--porcelain')).toBe('')
  })

  test('make lint finds a file and an export that no code uses', async () => {
    service.write('internal/unused.ts', 'export const unused = 1\n')
    appendFileSync(service.at('internal/routes.ts'), '\nexport const unused = 1\n')
    const { code, stdout } = await service.make('lint')
    expect(code).not.toBe(0)
    expect(stdout).toMatch(/Unused files \(1\)\ninternal.unused\.ts/)
    expect(stdout).toMatch(/Unused exports \(1\)\nunused .*internal.routes\.ts/)
    await service.git('reset', '--quiet', '--hard')
    await service.git('clean', '--quiet', '--force', 'internal')
  })
})

describe('make init', () => {
  let tree: WorkingTree
  beforeAll(async () => {
    tree = await cloneTo(join(directory, 'refused'))
  })

  test.each([
    ['no name', []],
    ['a path as a name', ['NAME=../x']],
    ['an unknown way of deployment', ['NAME=orders', 'DEPLOY=kubernetes,swarm']],
  ])('refuses %s and changes nothing', async (_title, args) => {
    const before = await tree.state()
    const { code, stderr } = await tree.make('init', ...args)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/Error 64$/m)
    expect(await tree.state()).toEqual(before)
  })

  test('ignores NAME in the environment, which may be the name of the machine', async () => {
    const { stderr } = await run('make', ['init'], { cwd: tree.path, env: { NAME: 'laptop' } })
    expect(stderr).toContain('NAME: is missing')
  })

  test('refuses a working tree with changes', async () => {
    tree.write('mine.txt', 'mine')
    expect((await tree.make('init', 'NAME=orders')).stderr).toMatch(/uncommitted changes.*Error 64/s)
    rmSync(tree.at('mine.txt'))
  })

  test('restores the working tree when git cannot commit', async () => {
    const before = await tree.state()
    const args = ['init', 'NAME=orders', 'DEPLOY=kubernetes']
    const { stderr } = await run('make', args, { cwd: tree.path, env: { GIT_AUTHOR_NAME: '' } })
    expect(stderr).toMatch(/empty ident name.*Error 64/s)
    expect(await tree.state()).toEqual(before)
    expect(tree.read('deploy/nginx/nginx.conf')).not.toBe('')
  })

  /** Runs make init with a git that first runs these lines when it gets the command `when`. */
  async function initWith(when: string, ...lines: string[]) {
    const bin = temporaryDirectory('git')
    const git = (await succeed('sh', ['-c', 'command -v git'])).trim()
    const script = ['#!/bin/sh', `if [ "$1" = ${when} ]; then`, ...lines, 'fi', `exec ${git} "$@"`, '']
    writeFileSync(join(bin, 'git'), script.join('\n'), { mode: 0o755 })
    const env = { NAME: 'orders', DEPLOY: 'kubernetes', PATH: `${bin}:${process.env['PATH']}` }
    return run(process.execPath, ['scripts/init.ts'], { cwd: tree.path, env })
  }

  test('restores the working tree when git cannot write, as on a full disk', async () => {
    const before = await tree.state()
    const { code, stderr } = await initWith('add', "echo 'No space left on device' >&2", 'exit 1')
    expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringContaining('No space left') })
    expect(await tree.state()).toEqual(before)
  })

  test('restores the working tree when Ctrl-C interrupts it', async () => {
    const before = await tree.state()
    // A terminal sends the signal to both processes.
    const { code } = await initWith('write-tree', 'kill -INT $PPID', 'kill -INT $$')
    expect(code).toBe(64)
    expect(await tree.state()).toEqual(before)
  })

  test('refuses a worktree, because it shares the remotes with its repository', async () => {
    const path = join(directory, 'worktree')
    await tree.git('worktree', 'add', '--quiet', '--detach', path)
    const result = await run(process.execPath, ['scripts/init.ts'], { cwd: path, env: { NAME: 'orders' } })
    expect(result).toMatchObject({ code: 64, stderr: expect.stringContaining('this folder is a worktree') })
    expect(await tree.git('remote')).toBe('origin')
    await tree.git('worktree', 'remove', path)
  })

  test('asks on a terminal for the license and the owner', async () => {
    const asking = await cloneTo(join(directory, 'asking'))
    // `script` gives the command a terminal, and passes its own input to it.
    const answers = `printf 'MIT\\nMüller & Co\\n' | script --quiet --return --command 'make init NAME=orders' /dev/null`
    expect(await run('sh', ['-c', answers], { cwd: asking.path })).toMatchObject({ code: 0 })
    expect(asking.read('LICENSE')).toMatch(/^Copyright \(c\) \d{4} Müller & Co$/m)
    expect(JSON.parse(asking.read('.template.json'))).toMatchObject({ license: 'MIT', owner: 'Müller & Co' })
  })

  test('leaves one commit, no tag and no remote, keeps a local branch, records the template, and says what to do next', async () => {
    await tree.git('tag', 'v1')
    await tree.git('branch', 'mine')
    await tree.git('remote', 'set-url', 'origin', 'https://user:secret@example.com/template.git')
    const parent = await tree.git('rev-parse', 'HEAD')
    const { code, stdout } = await tree.make('init', 'NAME=orders')
    expect(code).toBe(0)
    expect(await tree.git('rev-list', '--count', 'HEAD')).toBe('1')
    expect(await tree.git('for-each-ref', '--format=%(refname:short)')).toMatch(/^(\S+\nmine|mine\n\S+)$/)
    expect([await tree.git('remote'), await tree.git('status', '--porcelain')]).toEqual(['', ''])
    expect(JSON.parse(tree.read('.template.json'))).toMatchObject({ template: 'https://example.com/template.git' })
    expect(JSON.parse(tree.read('package.json'))).toMatchObject({ license: 'UNLICENSED', private: true })
    expect((await tree.files()).filter((file) => /^(LICENSE$|bench\/|docs\/decisions\/)/.test(file))).toEqual([])
    for (const next of ['make run', 'make resource', 'git remote add origin', `git reset --hard ${parent}`])
      expect(stdout).toContain(next)
  })

  test('is not a target of a service', async () => {
    const { code, stderr } = await tree.make('init', 'NAME=payments')
    expect(code).not.toBe(0)
    expect(stderr).toContain("No rule to make target 'init'")
  })
})
