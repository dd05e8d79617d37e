import { createExists, dropDeadLinks } from '../markdown.ts'
import { unmakeCalls } from '../resource/calls.ts'
import { unmakeResource } from '../resource/files.ts'
import { readNames } from '../resource/names.ts'
import { CAPABILITIES, dropUses, listCapabilities } from './capabilities.ts'
import type { Choices } from './choices.ts'
import { dropServices } from './compose.ts'
import { dropPackages, writeLicense } from './manifests.ts'
import { createGone, dropCommands, listPagesOfGone } from './mentions.ts'
import { dropDependents, dropOrphans, findReached } from './orphans.ts'
import { createRenamer } from './rename.ts'

/** Texts by path. */
export type Tree = ReadonlyMap<string, string>

/** The commit of the template that becomes a service. */
export interface Origin {
  readonly commit: string
  /** The address of the template, for `make upgrade`. */
  readonly template?: string | undefined
  readonly year: number
}

/** Files and folders that stay with the template. */
const TEMPLATE_ONLY = [
  'LICENSE',
  'README.md',
  'scripts/init.ts',
  'scripts/template',
  'docs/template.md',
  // A service records its own decisions and figures.
  'docs/decisions',
  'docs/images',
  'docs/performance.md',
  'docs/resilience-measured.md',
  'bench',
  // These tests take minutes, and test the template: a fresh clone, make init, other platforms, generated clients.
  'test/release',
  'test/openapi-clients',
  'test/notes/clients',
  // The recipes fit the sources only until a team changes the sources.
  'test/cookbook.test.ts',
  'test/support/recipes.ts',
]

/** The tests of the tools stay with the template. A service gets the tested tools with `make upgrade`. */
const isTestOfTools = (path: string) => /^scripts\/.*\.test\.ts$/.test(path)

const EXAMPLE = readNames({ NAME: 'note' })
/** The example of calls to another service. */
const CALLS = readNames({ NAME: 'payment' })

const findWay = (path: string) => /^deploy\/([^/]+)\//.exec(path)?.[1]
const isIn = (path: string, folders: readonly string[]) =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
/** A way of deployment may have a folder for a suite, such as `deploy/kubernetes/chaos`. */
const isOfSuite = (path: string, suites: readonly string[]) =>
  isIn(path, suites) || isIn(path.replace(/^deploy\/[^/]+\//, ''), suites)

/** Lists the ways of deployment. Each is a folder of deploy/. */
export function listWays(paths: Iterable<string>): readonly string[] {
  return [...new Set([...paths].flatMap((path) => findWay(path) ?? []))].sort()
}

/** Lists the folders of slow tests that bring their own targets of make: `load`, `test/restart`. */
export function listSuites(paths: Iterable<string>): readonly string[] {
  const folders = [...paths].flatMap((path) => /^((?:test\/)?([^/]+))\/\2\.mk$/.exec(path)?.[1] ?? [])
  return folders.filter((folder) => !isIn(folder, TEMPLATE_ONLY)).sort()
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

/**
 * Lists the suites that the choices leave out, and the suites that need a file or a folder that the service does not
 * get.
 */
function listLeftOut(template: Tree, offered: Tree, isChosen: (name: string) => boolean): readonly string[] {
  const paths = [...template.keys()]
  const folders = new Set(paths.flatMap((path) => /^(?:deploy|pkg)\/[^/]+(?=\/)/.exec(path) ?? []))
  const isOffered = createExists(offered.keys())
  const gone = [...folders].filter((folder) => !isOffered(folder))
  const needsGone = (path: string) =>
    !offered.has(path) || gone.some((folder) => new RegExp(`\\b${folder}\\b`).test(template.get(path) ?? ''))
  const isComplete = (suite: string) => !paths.some((path) => isIn(path, [suite]) && needsGone(path))
  return listSuites(paths).filter((suite) => !isChosen(suite) || !isComplete(suite))
}

/** Removes the files that a service does not get, and the files that need a removed file. */
function dropFiles(template: Tree, { example, deploy, with: folders }: Choices) {
  const paths = [...template.keys()]
  const ways = deploy === 'all' ? listWays(paths) : deploy.split(',')
  const isChosen = (name: string) => folders === 'all' || folders.split(',').includes(name)
  const absent = listCapabilities(paths).filter((name) => !isChosen(name))
  const isOffered = (path: string) => {
    const way = findWay(path)
    if (isIn(path, TEMPLATE_ONLY) || isTestOfTools(path) || absent.some((name) => CAPABILITIES[name]?.files.test(path)))
      return false
    return way === undefined || ways.includes(way)
  }
  const offered = filter(template, isOffered)
  // The suites test the example.
  const leftOut = listLeftOut(template, offered, (suite) => example === 'yes' && isChosen(suite))
  // A suite may need files of another suite.
  const kept = listSuites(paths).filter((suite) => !leftOut.includes(suite))
  const needed = findReached(
    offered,
    [...offered.keys()].filter((path) => isOfSuite(path, kept)),
  )
  const chosen = filter(offered, (path) => !isOfSuite(path, leftOut) || needed.has(path))
  const rest = dropOrphans(template, dropDependents(template, example === 'yes' ? chosen : dropExample(chosen)))
  return { ...rest, kept: dropUses(template, rest.kept) }
}

/** The sections of README.md that a service keeps. The other sections are about the template. */
const README_SECTIONS = ['Run it', 'Add a resource', 'Every day', 'Configure it', 'Deploy it']

function writeReadme(template: Tree): string {
  const sections = (template.get('README.md') ?? '').split(/^(?=## )/m)
  const kept = sections.filter((section) => README_SECTIONS.some((title) => section.startsWith(`## ${title}\n`)))
  return [template.get('scripts/template/readme.txt'), ...kept].join('')
}

/** Makes the service that a template becomes with these choices. */
export function makeService(template: Tree, choices: Choices, { commit, template: url, year }: Origin): Tree {
  const { kept, packages } = dropFiles(template, choices)
  const isGone = createGone(template, kept)
  const pages = listPagesOfGone(kept, isGone)
  const chosen = dropPackages(
    new Map([...filter(kept, (path) => !pages.includes(path)), ['README.md', writeReadme(template)]]),
    packages,
  )
  const read = (path: string) => chosen.get(path) ?? ''
  // A service starts its own changelog.
  const [changelog = ''] = read('CHANGELOG.md').split(/(?<=^## Unreleased\n)/m)
  const linked = new Map([
    ...chosen,
    ...dropDeadLinks(template.keys(), chosen.keys(), read, isGone),
    ...dropCommands(chosen, isGone),
    ['CHANGELOG.md', changelog],
    ['compose.yaml', dropServices(read('compose.yaml'), createExists(chosen.keys()))],
  ])

  const { name: before, version } = JSON.parse(template.get('package.json') ?? '')
  const rename = createRenamer(before, choices.name)
  const renamed = new Map([...linked].map(([path, text]) => [rename(path), rename(text)] as const))
  const record = { version, commit, template: url, ...choices }
  return new Map([
    ...renamed,
    ...writeLicense(template, renamed, choices, year),
    ['.template.json', `${JSON.stringify(record, null, 2)}\n`],
  ])
}
