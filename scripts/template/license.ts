import type { Choices } from './choices.ts'
import type { Tree } from './make-service.ts'

/** `none` keeps all rights: the service has no LICENSE. */
export const LICENSES: readonly string[] = ['none', 'MIT', 'Apache-2.0']

/** Returns the files of the service that name its license. The text of MIT is that of the template. */
export function writeLicense(template: Tree, service: Tree, { license, owner }: Choices, year: number): Tree {
  const texts: Readonly<Record<string, string | undefined>> = {
    MIT: template.get('LICENSE')?.replace(/^Copyright .*$/m, () => `Copyright (c) ${year} ${owner}`),
    'Apache-2.0': template
      .get('scripts/template/licenses/Apache-2.0.txt')
      ?.replace('[yyyy] [name of copyright owner]', () => `${year} ${owner}`),
  }
  const text = texts[license]
  // In both files, the first license is that of the service.
  const manifests = ['package.json', 'package-lock.json'].map((path) => {
    const named = `"license": "${text === undefined ? 'UNLICENSED' : license}"`
    return [path, (service.get(path) ?? '').replace(/"license": "[^"]*"/, named)] as const
  })
  return new Map([...manifests, ...(text === undefined ? [] : [['LICENSE', text] as const])])
}
