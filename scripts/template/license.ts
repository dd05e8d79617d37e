import type { Choices } from './choices.ts'
import type { Tree } from './make-service.ts'

/** `none` keeps all rights: the service has no LICENSE. */
export const LICENSES: readonly string[] = ['none', 'MIT', 'Apache-2.0']

/** Returns the files of the service that name its license. */
export function writeLicense(template: Tree, service: Tree, { license, owner }: Choices, year: number): Tree {
  // Both licenses have the placeholders of the Apache License.
  const text = template
    .get(`scripts/template/licenses/${license}.txt`)
    ?.replace(/\[yyyy\] \[name of copyright owner\]/, () => `${year} ${owner}`)
  // In both files, the first license is that of the service.
  const manifests = ['package.json', 'package-lock.json'].map((path) => {
    const named = `"license": "${text === undefined ? 'UNLICENSED' : license}"`
    return [path, (service.get(path) ?? '').replace(/"license": "[^"]*"/, named)] as const
  })
  return new Map([...manifests, ...(text === undefined ? [] : [['LICENSE', text] as const])])
}
