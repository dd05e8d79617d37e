import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Formats code as `make fmt` does. @throws when the text is not TypeScript */
export function format(path: string, text: string): string {
  const biome = join('node_modules', '@biomejs', 'biome', 'bin', 'biome')
  const args = [biome, 'check', '--write', `--stdin-file-path=${path}`]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { input: text, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${path} cannot be formatted:\n${stderr}`)
  return stdout
}
