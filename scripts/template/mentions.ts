import { createExists } from '../markdown.ts'
import { findNames, listVariables } from './capabilities.ts'
import type { Tree } from './make-service.ts'

const listTargets = (tree: Tree) => findNames(tree, /^Makefile$|\.mk$/, /^([a-z][a-z0-9-]*):/gm)

/** Lists the texts in quotes of the sources: messages, fields and metrics among others. */
const listQuoted = (tree: Tree) => findNames(tree, /^(src|internal|pkg)\/(?!.*\.test\.ts$)/, /'([^'\n]+)'/g)

/** Pages with tables of messages, fields and metrics. */
const TABLES = ['docs/logs.md', 'docs/metrics.md']

/**
 * Creates a function that tells whether code on a page names a file, a folder, a target of make, a command, a variable,
 * a message, a field or a metric that the service lacks. The last three count in the first column of their tables only.
 */
export function createGone(template: Tree, service: Tree): (code: string, table?: string) => boolean {
  const findLost = (list: (tree: Tree) => ReadonlySet<string>) => {
    const [before, after] = [list(template), list(service)]
    return (name: string) => before.has(name) && !after.has(name)
  }
  const isLostTarget = findLost(listTargets)
  const isLostVariable = findLost(listVariables)
  const isLostText = findLost(listQuoted)
  const [had, has] = [createExists(template.keys()), createExists(service.keys())]
  return (code, table = '') => {
    const target = /^(?:\w+=\S+ )*make ([a-z][a-z0-9-]*)/.exec(code)?.[1]
    if (target !== undefined) return isLostTarget(target)
    const command = /^app ([a-z]+)$/.exec(code)?.[1]
    if (command !== undefined) return template.has(`src/${command}.ts`) && !service.has(`src/${command}.ts`)
    const variable = /^([A-Z][A-Z0-9_]*?)(?:_FILE)?(?:=|$)/.exec(code)?.[1]
    if (variable !== undefined) return isLostVariable(variable)
    if (TABLES.includes(table) && isLostText(code)) return true
    const path = code.replace(/\/$/, '')
    return code.includes('/') && had(path) && !has(path)
  }
}

/** Lists the pages that explain a command that is gone: they have it in a block of code. */
export function listPagesOfGone(service: Tree, isGone: (code: string) => boolean): readonly string[] {
  const explains = (text: string) =>
    [...text.matchAll(/^```sh\n(.*?)^```$/gms)].some(([, code = '']) => code.split('\n').some(isGone))
  return [...service].filter(([path, text]) => path.startsWith('docs/') && explains(text)).map(([path]) => path)
}

/** Removes commands that are gone from the scripts and the workflows of the CI, with the comments before them. */
export function dropCommands(service: Tree, isGone: (code: string) => boolean): Tree {
  const dropLines = (text: string) =>
    text.replaceAll(/(?:^ *#(?!!).*\n)*^( *- |)(.+)\n/gm, (lines, item, command) =>
      isGone(item === '' ? command : `make ${command}`) ? '' : lines,
    )
  const files = [...service].filter(([path]) => /^\.ci\/|^\.github\/workflows\//.test(path))
  return new Map(files.map(([path, text]) => [path, dropLines(text)]))
}
