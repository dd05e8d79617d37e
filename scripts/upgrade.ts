/*
 * node scripts/upgrade.ts, with TEMPLATE=url-or-path and, where wanted, REF=main
 *
 * A three-way merge by git. Its base is the template as this service was made from it, and what comes in is the newer
 * template made into the same service, each by its own scripts/init.ts: so a conflict is where both sides changed the
 * same lines, and nothing else. All of it is made in a clone elsewhere. Here a single commit is picked.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Git, gitIn } from './git.ts'

const root = dirname(import.meta.dirname)
const git = gitIn(root)

/** What scripts/init.ts has written. */
interface Origin {
  readonly commit: string
  readonly name: string
  readonly example: string
  readonly deploy: string
}

const RECORD = join(root, '.template.json')

/** Why nothing can be done, whatever the template holds. */
function obstacle(template: string): string | undefined {
  if (!existsSync(RECORD)) return 'this is no service yet: make init NAME=orders'
  if (template === '') return 'TEMPLATE is missing: make upgrade TEMPLATE=url'
  return git(['status', '--porcelain']) === '' ? undefined : 'there are changes that are not committed: git status'
}

/** @returns the hash. @throws when the template does not know it */
function resolve(clone: Git, ref: string): string {
  for (const candidate of [`origin/${ref}`, ref]) {
    try {
      return clone(['rev-parse', '--verify', '--quiet', '--end-of-options', `${candidate}^{commit}`])
    } catch {
      // Then it is the other kind, or none.
    }
  }
  throw new Error(`the template has no ${ref}`)
}

/** Makes the service of this commit of the template. @returns the tree */
function replay(clone: Git, directory: string, commit: string, { name, example, deploy }: Origin): string {
  clone(['checkout', '--quiet', '--detach', commit])
  const ways = clone(['ls-tree', '--name-only', 'HEAD', 'deploy/']).split('\n')
  // One that the template has given up is no mistake of today's.
  const kept = deploy.split(',').filter((way) => ways.includes(`deploy/${way}`))
  const env = { ...process.env, ...NOBODY, NAME: name, EXAMPLE: example, DEPLOY: kept.join(',') || deploy }
  execFileSync(process.execPath, ['scripts/init.ts'], { cwd: directory, env, stdio: ['ignore', 'ignore', 'inherit'] })
  return clone(['rev-parse', 'HEAD^{tree}'])
}

/** For commits that nobody will see. */
const NOBODY = {
  GIT_AUTHOR_NAME: 'template',
  GIT_AUTHOR_EMAIL: 'template',
  GIT_COMMITTER_NAME: 'template',
  GIT_COMMITTER_EMAIL: 'template',
}

/** @returns the commit that turns one service into the other, or undefined when there is nothing newer */
function prepare(template: string, ref: string, origin: Origin): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'upgrade-'))
  try {
    git(['clone', '--quiet', '--no-checkout', '--', template, directory])
    const clone = gitIn(directory)
    const to = resolve(clone, ref)
    if (to === origin.commit) return undefined
    const trees = [resolve(clone, origin.commit), to].map((commit) => replay(clone, directory, commit, origin))
    // Carried over by one commit without the template's history.
    const [before = '', after = ''] = trees
    const base = clone(['commit-tree', before, '-m', 'before'], { env: NOBODY })
    clone([
      'update-ref',
      'refs/heads/carrier',
      clone(['commit-tree', after, '-p', base, '-m', 'after'], { env: NOBODY }),
    ])
    git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', directory, 'refs/heads/carrier'])
    const message = `The template at ${ref} (${to.slice(0, 12)})`
    return git([
      'commit-tree',
      after,
      '-p',
      git(['commit-tree', before, '-m', 'The template as it was']),
      '-m',
      message,
    ])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const unmerged = () => git(['diff', '--name-only', '--diff-filter=U']).split('\n').filter(Boolean)

/** Picks the commit; what this service has deleted stays so. @returns the paths in conflict */
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
  const advice = 'Mend it, git add it, and git cherry-pick --continue; or git cherry-pick --abort.'
  console.error(['In conflict:', ...conflicts.map((path) => `  ${path}`), advice].join('\n'))
  return 1
}

try {
  process.exitCode = upgrade(process.env)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
