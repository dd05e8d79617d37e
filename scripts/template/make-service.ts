import type { Choices } from './choices.ts'
import { selectPackages } from './packages.ts'
import { renaming } from './rename.ts'
import { select, type Tree } from './select.ts'

/** Where a service keeps what it was made from. */
export const RECORD = '.template.json'

/** The template as a service: what was chosen of it, under the service's name. */
export function makeService(template: Tree, choices: Choices, commit: string): Tree {
  const { example, deploy } = choices
  const isKept = (part: string) => {
    if (part === 'template') return false
    return part === 'example' ? example === 'yes' : deploy === 'all' || deploy.split(',').includes(part)
  }
  const { name, version } = JSON.parse(template.get('package.json')?.text ?? '')
  const renamed = renaming(name, choices.name)
  const service = selectPackages(select(template, isKept), isKept)
  const record = `${JSON.stringify({ version, commit, ...choices }, null, 2)}\n`
  return new Map([
    ...[...service].map(([path, { mode, text }]) => [renamed(path), { mode, text: renamed(text) }] as const),
    [RECORD, { mode: '100644', text: record }],
  ])
}
