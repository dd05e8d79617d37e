import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Result, run, succeed } from '../support/run.ts'
import { temporaryDirectory } from '../support/temporary.ts'

jest.setTimeout(600_000)

const { name: TEMPLATE_NAME } = JSON.parse(readFileSync('package.json', 'utf8'))
const directory = temporaryDirectory('clone')

/** A working tree under git. */
function treeAt(path: string) {
  const at = (file: string) => join(path, file)
  const git = async (...args: string[]) => (await succeed('git', args, { cwd: path })).trim()
  return {
    path,
    at,
    git,
    make: (...args: string[]): Promise<Result> => run('make', args, { cwd: path }),
    read: (file: string) => readFileSync(at(file), 'utf8'),
    replace(file: string, from: string, to: string) {
      const text = readFileSync(at(file), 'utf8')
      if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
      writeFileSync(at(file), text.replace(from, to))
    },
    write(file: string, text: string) {
      mkdirSync(dirname(at(file)), { recursive: true })
      writeFileSync(at(file), text)
    },
    async commit(message: string) {
      await git('add', '--all')
      await git('commit', '--quiet', '--message', message)
      return git('rev-parse', 'HEAD')
    },
    files: async () => (await git('ls-files')).split('\n'),
    /** All that an upgrade or a refusal may not change. */
    state: async () => [await git('for-each-ref'), await git('worktree', 'list'), await git('status', '--porcelain')],
  }
}
type Tree = ReturnType<typeof treeAt>

async function cloneOf(source: string, name: string): Promise<Tree> {
  const path = join(directory, name)
  await succeed('git', ['clone', '--quiet', source, path])
  return treeAt(path)
}

describe.each([
  ['the longest name', { NAME: `a-${'very-'.repeat(8)}long-name-too` }, ['cli', 'kubernetes', 'variables']],
  [
    'a reserved word, without what can be left out',
    { NAME: 'new', EXAMPLE: 'no', DEPLOY: 'kubernetes' },
    ['cli', 'kubernetes'],
  ],
])('make init: %s', (title, choices, endToEnd) => {
  let service: Tree
  beforeAll(async () => {
    service = await cloneOf('.', title.replaceAll(/\W/g, '-'))
    const { code, stderr } = await service.make('init', ...Object.entries(choices).map((choice) => choice.join('=')))
    expect({ code, stderr }).toMatchObject({ code: 0 })
  })

  test('is one commit that leaves nothing open and nothing of the old name', async () => {
    expect(await service.git('rev-list', '--count', 'origin/HEAD..HEAD')).toBe('1')
    expect(await service.git('status', '--porcelain')).toBe('')
    const spelling = new RegExp(TEMPLATE_NAME.replaceAll('-', '[-_ .]?'), 'i')
    for (const file of await service.files()) {
      const text = `${file}\n${service.read(file)}`
      expect({ file, line: text.split('\n').find((line) => spelling.test(line)) }).toEqual({ file })
    }
  })

  test('lint, types and unit tests are green, and so are the contract and what is deployed', async () => {
    const { code, stdout, stderr } = await service.make('lint', 'types', 'unit', 'build')
    expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' })
    const jestOptions = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--selectProjects', 'e2e', '--']
    const files = endToEnd.map((name) => `test/${name}.test.ts`)
    await succeed(join(service.path, '.toolchain/bin/node'), [...jestOptions, ...files], { cwd: service.path })
  })

  test('a file and an export that nothing uses are found', async () => {
    service.write('internal/unused.ts', 'export const unused = 1\n')
    appendFileSync(service.at('internal/healthcheck.ts'), '\nexport const unused = 1\n')
    const { code, stdout } = await service.make('lint')
    expect(code).not.toBe(0)
    expect(stdout).toMatch(/Unused files \(1\)\ninternal.unused\.ts/)
    expect(stdout).toMatch(/Unused exports \(1\)\nunused .*internal.healthcheck\.ts/)
    await service.git('reset', '--quiet', '--hard')
    await service.git('clean', '--quiet', '--force', 'internal')
  })
})

describe('make init', () => {
  let tree: Tree
  beforeAll(async () => {
    tree = await cloneOf('.', 'init')
  })

  test.each([
    ['no name', []],
    ['a path as a name', ['NAME=../x']],
    ['an unknown way to run it', ['NAME=orders', 'DEPLOY=kubernetes,swarm']],
  ])('refuses %s and leaves all as it was', async (_title, args) => {
    const before = await tree.state()
    const { code, stderr } = await tree.make('init', ...args)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/Error 64$/m)
    expect(await tree.state()).toEqual(before)
  })

  test('does not take the name of the machine for one that was given', async () => {
    const { stderr } = await run('make', ['init'], { cwd: tree.path, env: { NAME: 'laptop' } })
    expect(stderr).toContain('NAME: is missing')
  })

  test('refuses a tree with changes', async () => {
    tree.write('note.txt', 'mine')
    expect((await tree.make('init', 'NAME=orders')).stderr).toMatch(/not committed.*Error 64/s)
    rmSync(tree.at('note.txt'))
  })

  test('with HISTORY=reset has one commit, no tag and no remote; a branch of your own stays', async () => {
    await tree.git('tag', 'v1')
    await tree.git('branch', 'mine')
    expect(await tree.make('init', 'NAME=orders', 'HISTORY=reset')).toMatchObject({ code: 0 })
    expect(await tree.git('rev-list', '--count', 'HEAD')).toBe('1')
    expect(await tree.git('for-each-ref', '--format=%(refname:short)')).toMatch(/^(main|master)\nmine$|^mine\n/)
    expect([await tree.git('remote'), await tree.git('status', '--porcelain')]).toEqual(['', ''])
  })

  test('refuses a service', async () => {
    const { code, stderr } = await tree.make('init', 'NAME=payments')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/already.*Error 64/s)
  })
})

describe('make upgrade', () => {
  let template: Tree
  let service: Tree
  const upgrade = (...args: string[]) => service.make('upgrade', `TEMPLATE=${template.path}`, 'REF=HEAD', ...args)
  const record = () => JSON.parse(service.read('.template.json'))
  const exists = async (file: string) => (await service.files()).includes(file)

  beforeAll(async () => {
    template = await cloneOf('.', 'template')
    service = await cloneOf(template.path, 'service')
  })

  test('refuses what is no service yet', async () => {
    expect((await upgrade()).stderr).toMatch(/no service yet.*Error 64/s)
  })

  test('says that there is nothing newer', async () => {
    const choices = ['NAME=orders', 'EXAMPLE=no', 'DEPLOY=kubernetes,systemd']
    expect(await service.make('init', ...choices)).toMatchObject({ code: 0 })
    expect((await upgrade()).stdout).toContain('up to date')
  })

  test('brings in what is new, keeps what is the service its own, and leaves nothing behind', async () => {
    service.replace('internal/handler/ping.ts', 'pong', 'orders-pong')
    renameSync(service.at('docs/kubernetes.md'), service.at('docs/cluster.md'))
    rmSync(service.at('docs/performance.md'))
    service.replace('package.json', '"version": "0.1.0"', '"version": "7.0.0"')
    await service.commit('Ours')

    template.replace('internal/healthcheck.ts', 'timeoutMs = 2_000', 'timeoutMs = 3_000')
    template.replace('docs/kubernetes.md', '# Kubernetes', `# Kubernetes for ${TEMPLATE_NAME}`)
    template.replace('docs/performance.md', '## The log', '## Our log')
    template.replace('package.json', '"version": "', '"version": "9')
    template.write('docs/new.md', `About ${TEMPLATE_NAME}\nfor nginx <!-- [only nginx] -->\n`)
    template.write('deploy/nomad/app.nomad', `job "${TEMPLATE_NAME}" {}\n`)
    template.write('deploy/nginx/new.conf', '')
    rmSync(template.at('deploy/systemd/secrets.conf'))
    const commit = await template.commit('Newer')

    const [refs, worktrees] = await service.state()
    const { code, stderr } = await upgrade()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })

    expect(service.read('internal/handler/ping.ts')).toContain('orders-pong')
    expect(service.read('internal/healthcheck.ts')).toContain('timeoutMs = 3_000')
    expect(service.read('docs/cluster.md')).toContain('# Kubernetes for orders')
    expect(JSON.parse(service.read('package.json')).version).toBe('7.0.0')
    expect(service.read('docs/new.md')).toBe('About orders\n')
    for (const gone of ['docs/kubernetes.md', 'docs/performance.md', 'deploy/systemd/secrets.conf', 'scripts/init.ts'])
      expect({ gone, is: await exists(gone) }).toEqual({ gone, is: false })
    expect(readdirSync(service.at('deploy')).sort()).toEqual(['kubernetes', 'systemd'])
    expect(record()).toMatchObject({ commit, name: 'orders', example: 'no', deploy: 'kubernetes,systemd' })

    const [head, ...others] = (await service.state())[0]!.split('\n')
    expect(head).not.toBe(refs!.split('\n')[0])
    expect(others).toEqual(refs!.split('\n').slice(1))
    expect((await service.state()).slice(1)).toEqual([
      worktrees!.replace(/[0-9a-f]{7,}/, await service.git('rev-parse', '--short', 'HEAD')),
      '',
    ])
    expect(await service.git('rev-list', '--count', `${refs!.slice(0, 40)}..HEAD`)).toBe('1')
  })

  test('of lines that both sides have changed is a conflict, and its end is where it began', async () => {
    template.replace('internal/handler/ping.ts', 'pong', 'template-pong')
    await template.commit('Another pong')
    const before = await service.git('rev-parse', 'HEAD')
    const { code, stderr } = await upgrade()
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/In conflict:\n {2}internal.handler.ping\.ts\n/)
    expect(service.read('internal/handler/ping.ts')).toMatch(/<<<<<<<.*orders-pong.*template-pong.*>>>>>>>/s)
    expect((await upgrade()).stderr).toContain('not committed')
    await service.git('cherry-pick', '--abort')
    expect([await service.git('rev-parse', 'HEAD'), await service.git('status', '--porcelain')]).toEqual([before, ''])
    expect(service.read('internal/handler/ping.ts')).toContain('orders-pong')
  })

  test('of a conflict that is mended does not come again', async () => {
    await upgrade()
    await service.git('checkout', '--ours', 'internal/handler/ping.ts')
    await service.git('add', '--all')
    await service.git('-c', 'core.editor=true', 'cherry-pick', '--continue')
    expect(service.read('internal/handler/ping.ts')).toContain('orders-pong')
    expect((await upgrade()).stdout).toContain('up to date')
    template.replace('internal/healthcheck.ts', 'timeoutMs = 3_000', 'timeoutMs = 4_000')
    const commit = await template.commit('Slower')
    expect(await upgrade()).toMatchObject({ code: 0 })
    expect(service.read('internal/healthcheck.ts')).toContain('timeoutMs = 4_000')
    expect(record()).toMatchObject({ commit })
  })

  test.each([
    ['an unknown ref', ['REF=nowhere'], 'the template has no nowhere'],
    ['a template that is not there', ['TEMPLATE=/nowhere'], "'/nowhere' does not exist"],
    ['a ref whose init fails', ['REF=broken'], 'init.ts'],
  ])('from %s leaves all as it was', async (_title, args, message) => {
    await template.git('checkout', '--quiet', '-B', 'broken')
    rmSync(template.at('test/notes.test.ts'))
    await template.commit('Broken')
    await template.git('checkout', '--quiet', '-')
    const before = await service.state()
    const { code, stderr } = await upgrade(...args)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
    expect(await service.state()).toEqual(before)
  })

  test('from a template that has lost the commit that this service was made from says so', async () => {
    const origin = record()
    service.write('.template.json', JSON.stringify({ ...origin, commit: '0123456789'.repeat(4) }))
    await service.commit('A commit of nobody')
    expect((await upgrade()).stderr).toContain(`the template has no ${'0123456789'.repeat(4)}`)
  })
})
