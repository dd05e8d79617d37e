import { cpSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { temporaryDirectory } from './temporary.ts'

const PARTS = ['src', 'config', 'internal', 'pkg', 'scripts', 'package.json', 'biome.json', '.gitignore']

/**
 * Copies the sources, for a test that changes them, or that runs scripts with separate local servers. @returns the root
 */
export function copyTree(name: string): string {
  const root = temporaryDirectory(name)
  for (const part of PARTS) cpSync(part, join(root, part), { recursive: true })
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'))
  return root
}
