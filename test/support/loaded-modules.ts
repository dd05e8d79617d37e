import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findLines, type RunningApp } from './app.ts'
import { temporaryDirectory } from './temporary.ts'

/**
 * Writes a copy of the bundle that logs each module that it loads, for modules whose path begins with `paths`, an
 * expression without groups. `program` runs the copy, and `list` returns the paths that an app has loaded so far.
 */
export function reportModules(paths: string) {
  const file = join(temporaryDirectory('modules'), 'server.cjs')
  const head = new RegExp(`"((?:${paths})[^"]*)"\\([^)]*\\)\\s*\\{`, 'g')
  const report = (head: string, file: string) =>
    `${head}process.stdout.write(${JSON.stringify(`${JSON.stringify({ test: true, message: 'loaded', file })}\n`)});`
  writeFileSync(file, readFileSync('dist/server.cjs', 'utf8').replaceAll(head, report))
  return {
    program: [process.execPath, file],
    list: (app: RunningApp) => findLines(app, 'loaded').map(({ file }) => String(file)),
  }
}
