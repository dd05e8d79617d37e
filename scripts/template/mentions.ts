import type { Tree } from './make-service.ts'

const listTargets = (tree: Tree) =>
  new Set(
    [...tree]
      .filter(([path]) => /^Makefile$|\.mk$/.test(path))
      .flatMap(([, text]) => [...text.matchAll(/^([a-z][a-z0-9-]*):/gm)].map(([, target = '']) => target)),
  )

/** Creates a function that tells whether code names a file, a folder or a target of make that the service lacks. */
export function createGone(template: Tree, service: Tree): (code: string) => boolean {
  const hasPath = (tree: Tree, path: string) =>
    tree.has(path) || [...tree.keys()].some((file) => file.startsWith(`${path}/`))
  const [before, after] = [listTargets(template), listTargets(service)]
  return (code) => {
    const target = /^(?:\w+=\S+ )*make ([a-z][a-z0-9-]*)/.exec(code)?.[1]
    if (target !== undefined) return before.has(target) && !after.has(target)
    const path = code.replace(/\/$/, '')
    return code.includes('/') && hasPath(template, path) && !hasPath(service, path)
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
