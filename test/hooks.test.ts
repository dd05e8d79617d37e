import { appendFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from '@jest/globals'
import { run, succeed } from './support/run.ts'
import { copyTree } from './support/temporary.ts'

/** Git reads no configuration of this machine. */
const env = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.com',
}

test('the hook of make hooks checks the staged content of a commit, and nothing else', async () => {
  const cwd = copyTree('hooks')
  const git = (...args: string[]) => run('git', args, { cwd, env })
  writeFileSync(
    join(cwd, 'tsconfig.json'),
    '{ "extends": "./base.json", "include": ["pkg/with-timeout.ts", "pkg/added*.ts"] }\n',
  )
  symlinkSync(resolve('tsconfig.json'), join(cwd, 'base.json'))
  await succeed('git', ['init', '--quiet'], { cwd, env })
  await git('add', '--all', '--', ':!node_modules')
  await succeed('git', ['commit', '--quiet', '--message=first'], { cwd, env })
  // The target needs nothing else of the Makefile.
  await succeed('make', ['-f', 'scripts/hooks/hooks.mk', 'hooks'], { cwd, env })

  const added = join(cwd, 'pkg/added.ts')
  writeFileSync(added, 'export const added: number = "text"\n')
  await git('add', 'pkg/added.ts')
  const style = await git('commit', '--message=style')
  expect(style.code).not.toBe(0)
  expect(style.stderr + style.stdout).toContain('pkg/added.ts')

  writeFileSync(added, "export const added: number = 'text'\n")
  await git('add', 'pkg/added.ts')
  const types = await git('commit', '--message=types')
  expect(types.code).not.toBe(0)
  expect(types.stderr + types.stdout).toContain('TS2322')

  // The working tree is correct, but the staged content is not.
  writeFileSync(added, 'export const added = 1\n')
  expect((await git('commit', '--message=stale')).code).not.toBe(0)

  // The staged content is correct, but the working tree is not.
  await git('add', 'pkg/added.ts')
  appendFileSync(added, 'not TypeScript')
  writeFileSync(join(cwd, 'pkg/added-too.ts'), 'not TypeScript')
  expect(await git('commit', '--message=good')).toMatchObject({ code: 0 })
  expect((await git('show', '--stat', '--format=%s')).stdout).toMatch(/^good\n\n pkg\/added\.ts \| 1 \+\n/)

  // A commit that only deletes a file has nothing to check.
  rmSync(added)
  expect(await git('commit', '--all', '--message=deleted')).toMatchObject({ code: 0 })
}, 120_000)
