/*
 * NAME=orders [EXAMPLE=no] [DEPLOY=kubernetes,systemd] [HISTORY=reset] node scripts/init.ts
 *
 * Turns the template into a service, in place, in one commit. Computes every file before it changes one. Imports no
 * packages, because they are not installed yet.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { openGit } from './git.ts'
import { readChoices } from './template/choices.ts'
import { listWays, makeService, type Tree } from './template/make-service.ts'

process.chdir(dirname(import.meta.dirname))
const git = openGit('.')
const list = (...args: string[]) =>
  git(args)
    .split(/[\0\n]/)
    .filter(Boolean)

/** Replaces the tracked files in the working tree and in the index. */
function replaceFiles(before: Tree, after: Tree): void {
  git(['rm', '--quiet', '--', ...[...before.keys()].filter((path) => !after.has(path))])
  const changed = [...after].filter(([path, text]) => before.get(path) !== text)
  for (const [path, text] of changed) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text, 'latin1')
  }
  git(['add', '--all'])
}

function init(): void {
  if (!existsSync('.git')) throw new Error('this folder is not the root of a git repository: clone the template')
  if (git(['status', '--porcelain']) !== '') throw new Error('the working tree has uncommitted changes: see git status')

  // Latin-1 keeps every byte of a binary file.
  const template = new Map(list('ls-files', '-z').map((path) => [path, readFileSync(path, 'latin1')]))
  const { name, version } = JSON.parse(template.get('package.json') ?? '')
  const { choices, reset } = readChoices(process.env, { name, ways: listWays(template.keys()) })
  const parent = git(['rev-parse', 'HEAD'])
  const service = makeService(template, choices, parent)
  const message = `${choices.name}, from the template at ${version} (${parent.slice(0, 12)})`
  try {
    replaceFiles(template, service)
    git(['reset', '--soft', git(['commit-tree', git(['write-tree']), ...(reset ? [] : ['-p', parent]), '-m', message])])
  } catch (error) {
    // This restores the working tree, because it had no changes before.
    git(['add', '--all'])
    git(['reset', '--hard', '--quiet', parent])
    throw error
  }
  if (reset) {
    for (const remote of list('remote')) git(['remote', 'remove', remote])
    for (const tag of list('tag')) git(['tag', '--delete', tag])
  }
  console.info(`The template is now the service ${choices.name}, in one commit. Try: make run`)
}

try {
  init()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 64
}
