import { dropDeadLinks } from '../markdown.ts'
import { unmakeCalls } from '../resource/calls.ts'
import { unmakeResource } from '../resource/files.ts'
import { readNames } from '../resource/names.ts'
import type { Choices } from './choices.ts'
import { dropServices } from './compose.ts'
import { dropOrphans } from './orphans.ts'
import { dropPackages } from './packages.ts'
import { createRenamer } from './rename.ts'

/** Texts by path. */
export type Tree = ReadonlyMap<string, string>

/** Files and folders that stay with the template. */
const TEMPLATE_ONLY = [
  'scripts/init.ts',
  'scripts/template',
  'docs/template.md',
  'docs/decisions/0011-template.md',
  'test/release/template',
  // The recipes fit the sources of the template, until a team changes them.
  'test/cookbook.test.ts',
  'test/support/recipes.ts',
  'bench/budgets.json',
]

const EXAMPLE = readNames({ NAME: 'note' })
/** The example of calls to another service. */
const CALLS = readNames({ NAME: 'payment' })

const findWay = (path: string) => /^deploy\/([^/]+)\//.exec(path)?.[1]

/** Lists the ways of deployment. Each is a folder of deploy/. */
export function listWays(paths: Iterable<string>): readonly string[] {
  return [...new Set([...paths].flatMap((path) => findWay(path) ?? []))].sort()
}

const filter = (tree: Tree, isKept: (path: string) => boolean): Tree =>
  new Map([...tree].filter(([path]) => isKept(path)))

function dropExample(tree: Tree): Tree {
  const read = (path: string) => tree.get(path) ?? ''
  const paths = [...tree.keys()]
  const removals = [unmakeResource({ names: EXAMPLE, read }, paths), unmakeCalls({ names: CALLS, read }, paths)]
  const deleted = removals.flatMap((removal) => removal?.deleted ?? [])
  const edited = removals.flatMap((removal) => [...(removal?.edited ?? [])])
  return new Map([...filter(tree, (path) => !deleted.includes(path)), ...edited])
}

/** Makes the service that a template becomes with these choices. */
export function makeService(template: Tree, { name, example, deploy }: Choices, commit: string): Tree {
  const ways = deploy === 'all' ? listWays(template.keys()) : deploy.split(',')
  const isChosen = (path: string) => {
    const way = findWay(path)
    const staysBehind = TEMPLATE_ONLY.some((owned) => path === owned || path.startsWith(`${owned}/`))
    return !staysBehind && (way === undefined || ways.includes(way))
  }
  const { kept, packages } = dropOrphans(template, filter(template, isChosen))
  const chosen = dropPackages(example === 'yes' ? kept : dropExample(kept), packages)
  const read = (path: string) => chosen.get(path) ?? ''
  // A service starts its own changelog.
  const [changelog = ''] = read('CHANGELOG.md').split(/(?<=^## Unreleased\n)/m)
  const hasFolder = (folder: string) => [...chosen.keys()].some((path) => path.startsWith(`${folder}/`))
  const linked = new Map([
    ...chosen,
    ...dropDeadLinks(chosen.keys(), read),
    ['CHANGELOG.md', changelog],
    ['compose.yaml', dropServices(read('compose.yaml'), hasFolder)],
  ])

  const { name: before, version } = JSON.parse(template.get('package.json') ?? '')
  const rename = createRenamer(before, name)
  const record = { version, commit, name, example, deploy }
  return new Map([
    ...[...linked].map(([path, text]) => [rename(path), rename(text)] as const),
    ['.template.json', `${JSON.stringify(record, null, 2)}\n`],
  ])
}
