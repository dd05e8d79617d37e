/*
 * node scripts/upgrade.ts, with TEMPLATE=url-or-path and, where wanted, REF=main
 *
 * Merges a newer template into this service with git. The base of the merge is the service that the recorded commit of the
 * template makes. The other side is the service that the newer commit makes. Each commit runs its own scripts/init.ts in a
 * clone, so only a line that both sides changed is a conflict. Here, git picks a single commit.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Git, gitIn } from './git.ts'

const root = dirname(import.meta.dirname)
const git = gitIn(root)

/** The part of `.template.json` that an upgrade needs. */
interface Origin {
  readonly commit: string
  readonly name: string
  readonly example: string
  readonly deploy: string
}

const RECORD = join(root, '.template.json')

/** Reports a working tree that cannot be upgraded. */
function obstacle(template: string): string | undefined {
  if (!existsSync(RECORD)) return '.template.json is missing: only a service that make init has made can be upgraded'
  if (template === '') return 'TEMPLATE is missing: make upgrade TEMPLATE=url'
  return git(['status', '--porcelain']) === '' ? undefined : 'some changes are not committed: git status'
}

/** Resolves a branch, a tag or a commit of the template. @throws when the template does not have it */
function resolve(clone: Git, ref: string): string {
  for (const candidate of [`origin/${ref}`, ref]) {
    try {
      return clone(['rev-parse', '--verify', '--quiet', '--end-of-options', `${candidate}^{commit}`])
    } catch {
      // The next candidate may match.
    }
  }
  throw new Error(`the template has no ${ref}`)
}

/** Makes the service of one commit of the template. @returns its tree */
function replay(clone: Git, directory: string, commit: string, { name, example, deploy }: Origin): string {
  clone(['checkout', '--quiet', '--detach', commit])
  const ways = clone(['ls-tree', '--name-only', 'HEAD', 'deploy/']).split('\n')
  // A newer template may have dropped a way that this service chose.
  const kept = deploy.split(',').filter((way) => ways.includes(`deploy/${way}`))
  const env = { ...process.env, NAME: name, EXAMPLE: example, DEPLOY: kept.join(',') || deploy }
  execFileSync(process.execPath, ['scripts/init.ts'], { cwd: directory, env, stdio: ['ignore', 'ignore', 'inherit'] })
  return clone(['rev-parse', 'HEAD^{tree}'])
}

/** @returns the commit that turns the older service into the newer one, or undefined when the service is up to date */
function prepare(template: string, ref: string, origin: Origin): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'upgrade-'))
  try {
    git(['clone', '--quiet', '--no-checkout', '--', template, directory])
    const clone = gitIn(directory)
    for (const key of ['user.name', 'user.email']) clone(['config', key, 'template'])
    const to = resolve(clone, ref)
    if (to === origin.commit) return undefined
    const [before = '', after = ''] = [resolve(clone, origin.commit), to].map((commit) =>
      replay(clone, directory, commit, origin),
    )
    // A commit whose parent is the other tree carries both trees into this repository, without the template's history.
    const carry = (commit: Git, message: string) =>
      commit(['commit-tree', after, '-p', commit(['commit-tree', before, '-m', 'The template before']), '-m', message])
    clone(['update-ref', 'refs/heads/carrier', carry(clone, 'carrier')])
    git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', directory, 'refs/heads/carrier'])
    return carry(git, `The template at ${ref} (${to.slice(0, 12)})`)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const unmerged = () => git(['diff', '--name-only', '--diff-filter=U']).split('\n').filter(Boolean)

/** Picks the commit. A file that this service has deleted stays deleted. @returns the paths in conflict */
function pick(commit: string): readonly string[] {
  try {
    git(['cherry-pick', commit])
    return []
  } catch (error) {
    const deleted = git(['status', '--porcelain', '-z'])
      .split('\0')
      .filter((line) => line.startsWith('DU '))
    if (unmerged().length === 0) throw error
    for (const line of deleted) git(['rm', '--quiet', '--', line.slice(3)])
    const conflicts = unmerged()
    if (conflicts.length === 0) git(['-c', 'core.editor=true', 'cherry-pick', '--continue'])
    return conflicts
  }
}

function upgrade({ TEMPLATE: template = '', REF: ref = 'main' }: Readonly<Record<string, string | undefined>>): number {
  const blocked = obstacle(template)
  if (blocked !== undefined) {
    console.error(blocked)
    return 64
  }
  const commit = prepare(template, ref, JSON.parse(readFileSync(RECORD, 'utf8')))
  if (commit === undefined) {
    console.info('up to date')
    return 0
  }
  const conflicts = pick(commit)
  if (conflicts.length === 0) {
    console.info(git(['log', '-1', '--stat', '--format=%s']))
    return 0
  }
  const advice = 'Resolve, git add, and git cherry-pick --continue; or git cherry-pick --abort.'
  console.error(['In conflict:', ...conflicts.map((path) => `  ${path}`), advice].join('\n'))
  return 1
}

try {
  process.exitCode = upgrade(process.env)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
