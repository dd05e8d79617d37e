/** Returns the address of a template without credentials, or undefined for a path on this machine. */
export function publicAddress(address: string): string | undefined {
  if (/^[\w.-]+@[\w.-]+:/.test(address)) return address
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  if (url.protocol === 'file:') return undefined
  url.password = ''
  // The user of ssh is part of the address.
  if (url.protocol.startsWith('http')) url.username = ''
  return url.href
}

interface Service {
  readonly name: string
  readonly license: string
  readonly parent: string
  readonly branch: string
}

/** Tells a team what to do after `make init`. */
export const nextSteps = ({ name, license, parent, branch }: Service) => `
The template is now the service ${name}, in one commit. What to do next:

  make run                             serve on http://localhost:8080
  make resource NAME=invoice FIELDS='number:string:unique,total:int'
                                       generate a resource with its table and tests
  make test                            run all checks and tests
  git remote add origin URL && ${branch ? '' : 'git switch --create main && '}git push -u origin ${branch || 'main'}

README.md describes the service: complete it. Replace the team in .github/CODEOWNERS.
${license === 'none' ? 'The service has no license: all rights are reserved.' : `The license is ${license}: LICENSE.`}
docs/README.md has a page for each task, and upgrade.md there tells how to take in a newer template.
To undo: git reset --hard ${parent}
`
