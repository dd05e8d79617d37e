/*
 * TEMPLATE=url-or-path [REF=main] node scripts/upgrade.ts
 *
 * Merges a newer template into this service with git. Each of the two commits of the template, the recorded one and the
 * newer one, makes the service with its own scripts/init.ts in a clone. The difference is a single commit, which git
 * picks here, so only a line that both sides changed is a conflict.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Git, openGit } from './git.ts'

const root = dirname(import.meta.dirname)
const git = openGit(root)

/** The part of `.template.json` that an upgrade needs. */
type Origin = Readonly<Record<'commit' | 'name' | 'example' | 'deploy', string>>

const RECORD = join(root, '.template.json')

/** Returns the reason why this working tree cannot be upgraded. */
function findObstacle(template: string): string | undefined {
  if (!existsSync(RECORD)) return '.template.json is missing: only a service that make init has made can be upgraded'
  if (template === '') return 'TEMPLATE is missing: make upgrade TEMPLATE=url'
  return git(['status', '--porcelain']) === '' ? undefined : 'some changes are not committed: git status'
}

/** Resolves a branch, a tag or a commit of the template. @throws when the template does not have it */
function resolve(clone: Git, ref: string): string {
  try {
    return clone(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`])
  } catch (cause) {
    throw new Error(`the template has no ${ref}`, { cause })
  }
}

/** Makes the service of one commit of the template. @returns its tree */
function replay(clone: Git, directory: string, commit: string, { name, example, deploy }: Origin): string {
  clone(['checkout', '--quiet', '--detach', commit])
  const ways = clone(['ls-tree', '--name-only', 'HEAD', 'deploy/']).split('\n')
  // A newer template may have dropped a way that this service chose.
  const kept = deploy.split(',').filter((way) => ways.includes(`deploy/${way}`))
  const env = { ...process.env, NAME: name, EXAMPLE: example, DEPLOY: kept.join(',') || deploy }
  execFileSync(process.execPath, ['scripts/init.ts'], { cwd: directory, env })
  return clone(['rev-parse', 'HEAD^{tree}'])
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
    const to = resolve(clone, ref)
    if (to === origin.commit) return undefined
    const before = replay(clone, directory, resolve(clone, origin.commit), origin)
    const after = replay(clone, directory, to, origin)
    // A commit whose parent has the other tree carries both trees into this repository, without the template's history.
    const carry = (commit: Git, message: string) =>
      commit(['commit-tree', after, '-p', commit(['commit-tree', before, '-m', 'The template before']), '-m', message])
    clone(['update-ref', 'refs/heads/carrier', carry(clone, 'carrier')])
    git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', directory, 'refs/heads/carrier'])
    return carry(git, `The template at ${ref} (${to.slice(0, 12)})`)
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
    if (conflicts.length === 0) git(['-c', 'core.editor=true', 'cherry-pick', '--continue'])
    return conflicts
  }
}

/** @returns the exit code */
function upgrade({ TEMPLATE: template = '', REF: ref = 'main' }: Readonly<Record<string, string | undefined>>): number {
  const obstacle = findObstacle(template)
  if (obstacle !== undefined) {
    console.error(obstacle)
    return 64
  }
  const commit = prepare(template, ref, JSON.parse(readFileSync(RECORD, 'utf8')))
  const conflicts = commit === undefined ? [] : pick(commit)
  if (conflicts.length > 0) {
    const advice = 'Resolve, git add, and git cherry-pick --continue; or git cherry-pick --abort.'
    console.error(['In conflict:', ...conflicts.map((path) => `  ${path}`), advice].join('\n'))
    return 1
  }
  console.info(commit === undefined ? 'up to date' : git(['log', '-1', '--stat', '--format=%s']))
  return 0
}

try {
  process.exitCode = upgrade(process.env)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
