import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { copyTree } from './temporary.ts'

/** A fenced block of docs/cookbook.md: a new file, a change of a file, or commands. */
interface Block {
  readonly language: string
  readonly path: string
  readonly text: string
}

/** Lists the blocks of a page. @throws when a block does not name its file */
export function listBlocks(page: string): Block[] {
  return [...page.matchAll(/^```(\w+)\n(.+)\n([\s\S]*?)^```$/gm)].map(([, language = '', first = '', text = '']) => {
    if (language === 'sh') return { language, path: '', text: `${first}\n${text}` }
    const path = /^(?:\/\/|---) (\S+)$/.exec(first)?.[1]
    if (path === undefined) throw new Error(`the block does not name its file: ${first}`)
    return { language, path, text }
  })
}

/** Applies hunks, which `@@` separates. Appends a hunk that only adds lines. @throws when its position is not clear */
export function applyHunks(before: string, hunks: string): string {
  let text = before
  for (const hunk of hunks.split(/^@@\n/m)) {
    const lines = hunk.replace(/\n$/, '').split('\n')
    const pick = (mark: string) =>
      lines
        .filter((line) => !line.startsWith(mark))
        .map((line) => line.slice(1))
        .join('\n')
    const [old, replacement] = [pick('+'), pick('-')]
    if (old === '') text += `${replacement}\n`
    else {
      if (text.split(old).length !== 2) throw new Error(`${text.split(old).length - 1} positions instead of 1:\n${old}`)
      text = text.replace(old, () => replacement)
    }
  }
  return text
}

/** Applies every block of the page to a copy of the sources. @returns the root of the copy */
export function applyRecipes(page: string): string {
  const root = copyTree('cookbook')
  for (const file of ['.env.example', 'test/support']) cpSync(file, join(root, file), { recursive: true })
  for (const { language, path, text } of listBlocks(page)) {
    if (language === 'sh') runMakeResource(root, text)
    else if (language === 'diff')
      writeFileSync(join(root, path), applyHunks(readFileSync(join(root, path), 'utf8'), text))
    else if (path.includes('…')) writeFileSync(makeMigration(root, path), text)
    else appendFileSync(join(root, path), text, { flag: 'ax' })
  }
  // Other tests need files that the copy does not have.
  const own = /(customers|invoices)\.test\.ts$/
  const tests = globSync('**/*.test.ts', { cwd: root, exclude: ['node_modules'] }).filter((file) => !own.test(file))
  for (const file of tests) rmSync(join(root, file))
  return root
}

/** Runs each `make resource NAME=… FIELDS='…'`. @throws when the commands have another one */
function runMakeResource(root: string, commands: string): void {
  for (const command of commands.trim().split('\n')) {
    const [, NAME, FIELDS] = /^make resource NAME=(\S+) FIELDS='(.+)'$/.exec(command) ?? []
    if (NAME === undefined || FIELDS === undefined) throw new Error(`the page has an unknown command: ${command}`)
    execFileSync(process.execPath, ['scripts/resource.ts'], { cwd: root, env: { ...process.env, NAME, FIELDS } })
  }
}

/** Runs `make migration` for a path with an ellipsis. @returns the new file */
function makeMigration(root: string, path: string): string {
  const [, name = ''] = /^….(.+)\.ts$/.exec(basename(path)) ?? []
  const env = { ...process.env, NAME: name }
  execFileSync(process.execPath, ['scripts/migration.ts'], { cwd: root, env })
  const folder = join(root, dirname(path))
  const made = readdirSync(folder).find((file) => file.endsWith(`-${name}.ts`))
  return resolve(folder, made ?? path)
}
