/*
 * NAME=orders [EXAMPLE=no] [DEPLOY=kubernetes,systemd] [HISTORY=reset] node scripts/init.ts
 *
 * Turns the template into a service, in place, in one commit. Prepares the commit in git's object store before it changes
 * the working tree. Needs Node alone, because the packages are not installed yet.
 */
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openGit } from './git.ts'
import { readChoices } from './template/choices.ts'
import { listWays, makeService, type Tree } from './template/make-service.ts'

const root = dirname(import.meta.dirname)
const git = openGit(root)
const list = (...args: string[]) =>
  git(args)
    .split(/[\0\n]/)
    .filter(Boolean)

/** Reads the tracked files as Latin-1, which keeps every byte of a binary file. */
function readTree(): Tree {
  return new Map(
    list('ls-files', '--stage', '-z').map((line) => {
      const [attributes = '', path = ''] = line.split('\t')
      const [mode = ''] = attributes.split(' ')
      const file = join(root, path)
      return [path, { mode, text: mode === '120000' ? readlinkSync(file, 'latin1') : readFileSync(file, 'latin1') }]
    }),
  )
}

/** Stores the files in git without touching the working tree. @returns the hash of the tree */
function writeTree(files: Tree): string {
  const entries = [...files].map(([path, { mode, text }]) => {
    const hash = git(['hash-object', '-w', '--stdin'], Buffer.from(text, 'latin1'))
    return `${mode} ${hash}\t${path}\0`
  })
  git(['read-tree', '--empty'])
  git(['update-index', '-z', '--add', '--index-info'], entries.join(''))
  const tree = git(['write-tree'])
  // The index must list the files of the template again, or `git reset` would leave the deleted ones behind.
  git(['read-tree', 'HEAD'])
  return tree
}

function init(): void {
  if (!existsSync(join(root, '.git')))
    throw new Error('this folder is not the root of a git repository: clone the template')
  if (git(['status', '--porcelain']) !== '') throw new Error('some changes are not committed: git status')

  const template = readTree()
  const { name, version } = JSON.parse(template.get('package.json')?.text ?? '')
  const { choices, reset } = readChoices(process.env, { name, ways: listWays(template.keys()) })
  const commit = git(['rev-parse', 'HEAD'])
  const tree = writeTree(makeService(template, choices, commit))
  const message = `${choices.name}, from the template at ${version} (${commit.slice(0, 12)})`
  const parent = reset ? [] : ['-p', commit]
  git(['reset', '--hard', '--quiet', git(['commit-tree', tree, ...parent, '-m', message])])
  if (reset) {
    for (const remote of list('remote')) git(['remote', 'remove', remote])
    for (const tag of list('tag')) git(['tag', '--delete', tag])
  }
  console.info(`The template is the service ${choices.name} now, in one commit. Try: make run`)
}

try {
  init()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 64
}
