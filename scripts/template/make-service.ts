import { dropAllDeadLinks } from '../markdown.ts'
import { unmakeResource } from '../resource/files.ts'
import { readNames } from '../resource/names.ts'
import type { Choices } from './choices.ts'
import { dropOrphans } from './orphans.ts'
import { dropPackages } from './packages.ts'
import { renaming } from './rename.ts'

export interface File {
  /** The mode of git: 100644, 100755 or 120000. */
  readonly mode: string
  readonly text: string
}

/** Files by path. */
export type Tree = ReadonlyMap<string, File>

/** Records the origin of a service. `make upgrade` reads it. */
const RECORD = '.template.json'

/** Files and folders that stay with the template. */
const TEMPLATE_ONLY = [
  'scripts/init.ts',
  'scripts/template',
  'docs/template.md',
  'docs/decisions/0011-template.md',
  'test/release/template',
  'bench/budgets.json',
]

const EXAMPLE = 'note'

const wayOf = (path: string) => /^deploy\/([^/]+)\//.exec(path)?.[1]

/** Lists the ways of deployment: one folder of deploy/ each. */
export function listWays(paths: Iterable<string>): readonly string[] {
  return [...new Set([...paths].flatMap((path) => wayOf(path) ?? []))].sort()
}

function withTexts(tree: Tree, texts: Iterable<readonly [string, string]>): Tree {
  return new Map([...tree, ...[...texts].map(([path, text]) => [path, { mode: '100644', text }] as const)])
}

function dropExample(tree: Tree): Tree {
  const read = (path: string) => tree.get(path)?.text ?? ''
  const { deleted, edited } = unmakeResource({ names: readNames({ NAME: EXAMPLE }), read }, [...tree.keys()])
  return withTexts(new Map([...tree].filter(([path]) => !deleted.includes(path))), edited)
}

/** Makes the service that a template becomes with these choices. */
export function makeService(template: Tree, { name, example, deploy }: Choices, commit: string): Tree {
  const isKept = (path: string) => {
    const way = wayOf(path)
    if (TEMPLATE_ONLY.some((owned) => path === owned || path.startsWith(`${owned}/`))) return false
    return way === undefined || deploy === 'all' || deploy.split(',').includes(way)
  }
  const { kept, packages } = dropOrphans(template, new Map([...template].filter(([path]) => isKept(path))))
  const chosen = dropPackages(example === 'yes' ? kept : dropExample(kept), packages)
  const read = (path: string) => chosen.get(path)?.text ?? ''
  const linked = withTexts(chosen, dropAllDeadLinks(chosen.keys(), read))
  // A service starts its own changelog.
  const [changelog = ''] = read('CHANGELOG.md').split(/(?<=^## Unreleased\n)/m)
  const before = JSON.parse(template.get('package.json')?.text ?? '')
  const record = `${JSON.stringify({ version: before.version, commit, name, example, deploy }, null, 2)}\n`
  const rename = renaming(before.name, name)
  const renamed = [...withTexts(linked, [['CHANGELOG.md', changelog]])].map(
    ([path, { mode, text }]) => [rename(path), { mode, text: rename(text) }] as const,
  )
  return withTexts(new Map(renamed), [[RECORD, record]])
}
