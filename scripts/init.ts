/*
 * NAME=orders [EXAMPLE=no] [DEPLOY=kubernetes,systemd] [WITH=none] [LICENSE=MIT OWNER='Example Ltd'] [HISTORY=keep]
 * node scripts/init.ts
 *
 * Turns the template into a service, in place, in one commit. Computes every file before it changes one. Imports no
 * packages, because they are not installed yet.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { openGit } from './git.ts'
import { listCapabilities } from './template/capabilities.ts'
import { askLicense, readChoices } from './template/choices.ts'
import { listSuites, listWays, makeService, type Tree } from './template/make-service.ts'
import { nextSteps, publicAddress } from './template/next-steps.ts'

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

/** Asks on a terminal for the license. */
async function ask(): Promise<NodeJS.ProcessEnv> {
  if (!process.stdin.isTTY) return process.env
  const terminal = createInterface({ input: process.stdin })
  // The iterator keeps a line that arrives before its question.
  const lines = terminal[Symbol.asyncIterator]()
  const askLine = async (question: string): Promise<string> => {
    process.stderr.write(question)
    return (await lines.next()).value ?? ''
  }
  try {
    return { ...process.env, ...(await askLicense(process.env, askLine)) }
  } finally {
    terminal.close()
  }
}

async function init(): Promise<void> {
  if (!existsSync('.git')) throw new Error('this folder is not the root of a git repository: clone the template')
  const [own, shared] = list('rev-parse', '--git-dir', '--git-common-dir')
  if (own !== shared)
    throw new Error(
      'this folder is a worktree, and make init removes the remotes of its repository: clone the template',
    )
  if (git(['status', '--porcelain']) !== '') throw new Error('the working tree has uncommitted changes: see git status')

  // Latin-1 keeps every byte of a binary file, so the owner is in the same form.
  const template = new Map(list('ls-files', '-z').map((path) => [path, readFileSync(path, 'latin1')]))
  const { name, version } = JSON.parse(template.get('package.json') ?? '')
  const paths = [...template.keys()]
  const offered = { name, ways: listWays(paths), suites: listSuites(paths), capabilities: listCapabilities(paths) }
  // Reports the other problems before it asks.
  readChoices({ ...process.env, LICENSE: 'none' }, offered)
  const { choices, keepsHistory } = readChoices(await ask(), offered)
  const parent = git(['rev-parse', 'HEAD'])
  // `make upgrade` sets TEMPLATE, and works in a clone.
  const remotes = list('remote')
  const address = process.env['TEMPLATE'] ?? (remotes.includes('origin') ? git(['remote', 'get-url', 'origin']) : '')
  const origin = { commit: parent, template: publicAddress(address), year: new Date().getFullYear() }
  const owner = Buffer.from(choices.owner).toString('latin1')
  const service = makeService(template, { ...choices, owner }, origin)
  const message = `${choices.name}, from the template at ${version} (${parent.slice(0, 12)})`
  // Ctrl-C ends the running git command, whose error restores the files.
  process.on('SIGINT', () => {})
  try {
    replaceFiles(template, service)
    const parents = keepsHistory ? ['-p', parent] : []
    git(['reset', '--soft', git(['commit-tree', git(['write-tree']), ...parents, '-m', message])])
  } catch (error) {
    // This restores the working tree, because it had no changes before. It also frees space on a full disk.
    for (const path of service.keys()) if (!template.has(path)) rmSync(path, { force: true })
    git(['reset', '--hard', '--quiet', parent])
    throw error
  }
  // A push must not reach the template.
  for (const remote of remotes) git(['remote', 'remove', remote])
  if (!keepsHistory) for (const tag of list('tag')) git(['tag', '--delete', tag])
  console.info(nextSteps({ ...choices, parent, branch: git(['branch', '--show-current']) }))
}

init().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 64
})
