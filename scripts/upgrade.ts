/*
 * [TEMPLATE=url-or-path] [REF=main] node scripts/upgrade.ts
 *
 * Merges a newer template into this service with git. Makes the service twice in a clone of the template: with the
 * scripts/init.ts of the recorded commit, and with that of the newer commit. Git cherry-picks the difference as a
 * single commit, so only lines that both sides changed are in conflict.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Git, openGit } from './git.ts'

const root = dirname(import.meta.dirname)
const git = openGit(root)

/** The part of `.template.json` that an upgrade needs. */
type Origin = Readonly<Record<'commit' | 'name' | 'example' | 'deploy', string>> &
  Readonly<Partial<Record<'template' | 'with' | 'suites' | 'license' | 'owner', string>>>

const RECORD = join(root, '.template.json')

/** Returns the reason why this working tree cannot be upgraded. */
function findObstacle(record: Origin | undefined, template: string | undefined): string | undefined {
  if (record === undefined) return '.template.json is missing: only a service that make init created can be upgraded'
  if (template === undefined) return 'TEMPLATE is missing: make upgrade TEMPLATE=url'
  if (!existsSync(join(root, '.git')))
    return 'this folder is not the root of a git repository, and an upgrade changes a whole repository'
  return git(['status', '--porcelain']) === '' ? undefined : 'the working tree has uncommitted changes: see git status'
}

/** Resolves a branch, a tag or a commit of the template. @throws when the template does not have it */
function resolve(clone: Git, ref: string): string {
  try {
    return clone(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`])
  } catch (cause) {
    throw new Error(`the template has no ${ref}`, { cause })
  }
}

/** Makes the service of one commit of the template. @returns a commit of this repository, without history */
function replay(clone: Git, directory: string, commit: string, origin: Origin): string {
  clone(['checkout', '--quiet', '--detach', commit])
  const files = clone(['ls-files']).split('\n')
  // A newer template may lack a way of deployment, a suite or a capability that this service chose.
  const choose = (choice: string | undefined, ...prefixes: readonly string[]) => {
    const exists = (name: string) => prefixes.some((each) => files.some((file) => file.startsWith(`${each}${name}/`)))
    return choice?.split(',').filter(exists).join(',') || choice
  }
  const { template: TEMPLATE, name: NAME, example: EXAMPLE, license: LICENSE, owner: OWNER } = origin
  const DEPLOY = choose(origin.deploy, 'deploy/')
  const [WITH, SUITES] = [choose(origin.with, '', 'pkg/'), choose(origin.suites, '')]
  // `reset` is the word of older versions of the script for a new history.
  const env = { ...process.env, TEMPLATE, NAME, EXAMPLE, LICENSE, OWNER, DEPLOY, WITH, SUITES, HISTORY: 'reset' }
  execFileSync(process.execPath, ['scripts/init.ts'], { cwd: directory, env, stdio: 'pipe' })
  git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', directory, 'HEAD'])
  return clone(['rev-parse', 'HEAD'])
}

/** Returns the commit that turns the older service into the newer one, or undefined when the service is up to date. */
function prepare(template: string, ref: string, origin: Origin): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'upgrade-'))
  try {
    // In a bare clone, branches have the names that they have in the template.
    git(['clone', '--quiet', '--bare', '--', template, join(directory, '.git')])
    const clone = openGit(directory)
    for (const setting of ['core.bare=false', 'user.name=template', 'user.email=template']) {
      clone(['config', ...setting.split('=')])
    }
    const [from, to] = [resolve(clone, origin.commit), resolve(clone, ref)]
    if (from === to) return undefined
    const before = replay(clone, directory, from, origin)
    const after = replay(clone, directory, to, origin)
    const message = `The template at ${ref} (${to.slice(0, 12)})`
    return git(['commit-tree', `${after}^{tree}`, '-p', before, '-m', message])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Picks the commit. A file that this service has deleted stays deleted. @returns the paths in conflict */
function pick(commit: string): readonly string[] {
  const listConflicts = () => git(['diff', '--name-only', '--diff-filter=U']).split('\n').filter(Boolean)
  try {
    git(['cherry-pick', commit])
    return []
  } catch (error) {
    if (listConflicts().length === 0) throw error
    for (const line of git(['status', '--porcelain', '-z']).split('\0')) {
      if (line.startsWith('DU ')) git(['rm', '--quiet', '--', line.slice(3)])
    }
    const conflicts = listConflicts()
    // The packages of the new version are not installed yet, so the hook of `make hooks` would fail.
    const options = ['-c', 'core.editor=true', '-c', 'core.hooksPath=/dev/null']
    if (conflicts.length === 0) git([...options, 'cherry-pick', '--continue'])
    return conflicts
  }
}

/** @returns the exit code */
function upgrade({ TEMPLATE: given, REF: ref = 'main' }: Readonly<Record<string, string | undefined>>): number {
  const record: Origin | undefined = existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : undefined
  const template = given || record?.template
  const obstacle = findObstacle(record, template)
  if (record === undefined || template === undefined || obstacle !== undefined) {
    console.error(obstacle)
    return 64
  }
  const commit = prepare(template, ref, { ...record, template })
  const conflicts = commit === undefined ? [] : pick(commit)
  if (conflicts.length > 0) {
    const advice =
      'Resolve the conflicts, git add the files, and run git cherry-pick --continue. To undo: git cherry-pick --abort.'
    console.error(['In conflict:', ...conflicts.map((path) => `  ${path}`), advice].join('\n'))
    return 1
  }
  if (commit === undefined) console.info('up to date')
  else
    console.info(
      `${git(['log', '-1', '--stat', '--format=%s'])}\nTry: make lint types unit e2e. To undo: git reset --hard HEAD^`,
    )
  return 0
}

try {
  process.exitCode = upgrade(process.env)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
