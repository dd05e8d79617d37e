/*
 * node scripts/init.ts, with NAME=orders and, where wanted, EXAMPLE=no, DEPLOY=kubernetes,systemd, HISTORY=reset
 *
 * Makes a service of the template, in place and as one commit. All of it is prepared in git's own store, and only then
 * does the working tree change. Runs with Node alone, before any package is installed.
 */
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gitIn } from './git.ts'
import { readChoices } from './template/choices.ts'
import { makeService, RECORD } from './template/make-service.ts'
import { type Tree, waysOf } from './template/select.ts'

const root = dirname(import.meta.dirname)
const git = gitIn(root)

/** Why nothing can be done here, whatever is asked for. */
function obstacle(): string | undefined {
  if (existsSync(join(root, RECORD))) return `this is a service already (${RECORD}): make upgrade brings it up to date`
  if (!existsSync(join(root, '.git'))) return 'this is no git repository of its own: git clone the template'
  return git(['status', '--porcelain']) === '' ? undefined : 'there are changes that are not committed: git status'
}

/** The tracked files. In Latin-1 each byte is a character, so that a file of any kind comes out as it went in. */
function readTree(): Tree {
  const lines = git(['ls-files', '--stage', '-z']).split('\0').filter(Boolean)
  return new Map(
    lines.map((line) => {
      const [attributes = '', path = ''] = line.split('\t')
      const [mode = ''] = attributes.split(' ')
      const file = join(root, path)
      return [path, { mode, text: mode === '120000' ? readlinkSync(file, 'latin1') : readFileSync(file, 'latin1') }]
    }),
  )
}

/** Stores the files in git, beside what is checked out. @returns the hash of the tree */
function writeTree(files: Tree): string {
  const directory = mkdtempSync(join(tmpdir(), 'init-'))
  try {
    const env = { GIT_INDEX_FILE: join(directory, 'index') }
    const entries = [...files].map(([path, { mode, text }]) => {
      const hash = git(['hash-object', '-w', '--stdin'], { input: Buffer.from(text, 'latin1') })
      return `${mode} ${hash}\t${path}\0`
    })
    git(['update-index', '-z', '--add', '--index-info'], { input: entries.join(''), env })
    return git(['write-tree'], { env })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Takes away what else leads to the template's history. Other local branches are somebody's work, and stay. */
function forgetTemplate(): void {
  for (const remote of git(['remote']).split('\n').filter(Boolean)) git(['remote', 'remove', remote])
  for (const tag of git(['tag']).split('\n').filter(Boolean)) git(['tag', '--delete', tag])
}

function refuse(problems: readonly string[]): number {
  for (const problem of problems) console.error(problem)
  return 64
}

function init(): number {
  const blocked = obstacle()
  if (blocked !== undefined) return refuse([blocked])
  const template = readTree()
  const { name, version } = JSON.parse(template.get('package.json')?.text ?? '')
  const answer = readChoices(process.env, { name, ways: waysOf(template.keys()) })
  if ('problems' in answer) return refuse(answer.problems)

  const { choices, reset } = answer
  const commit = git(['rev-parse', 'HEAD'])
  const tree = writeTree(makeService(template, choices, commit))
  const message = `${choices.name}, from the template at ${version} (${commit.slice(0, 12)})`
  const parent = reset ? [] : ['-p', commit]
  git(['reset', '--hard', '--quiet', git(['commit-tree', tree, ...parent, '-m', message])])
  if (reset) forgetTemplate()
  console.info(`This is ${choices.name} now, in one commit. Try: make run`)
  return 0
}

process.exitCode = init()
