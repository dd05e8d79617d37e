import { CAPABILITIES } from './capabilities.ts'

/** `none` keeps all rights: the service has no LICENSE. */
const LICENSES: readonly string[] = ['none', 'MIT', 'Apache-2.0']

/** The choices of `make init`, which `.template.json` records. */
export interface Choices {
  readonly name: string
  /** `yes` or `no`. */
  readonly example: string
  /** Folders of deploy/, separated by commas. `all` includes the folders of later versions. */
  readonly deploy: string
  /**
   * Optional capabilities and slow suites of tests, separated by commas, or `none`. `all` includes those of later
   * versions.
   */
  readonly with: string
  /** `none`, or the SPDX identifier of a license. */
  readonly license: string
  /** The holder of the copyright, or an empty text. */
  readonly owner: string
}

/**
 * The name becomes a DNS label and the name of an image. Kubernetes limits a label to 63 characters, and the manifests
 * append `-migrate` to the name. Code never uses the name as an identifier, so a reserved word such as `new` is valid.
 */
const VALID_NAME = /^[a-z]([a-z0-9-]{0,53}[a-z0-9])?$/

/** YAML, the format of the manifests, reads these words as values that are not text. */
const NOT_TEXT = ['true', 'false', 'null', 'yes', 'no', 'on', 'off', 'y', 'n']

interface Template {
  readonly name: string
  readonly ways: readonly string[]
  readonly suites: readonly string[]
  readonly capabilities: readonly string[]
}

function findNameProblem(name: string, { name: current }: Template): string | undefined {
  if (name === '') return 'is missing: make init NAME=orders'
  const got = `got ${JSON.stringify(name)},`
  if (!VALID_NAME.test(name))
    return `${got} expected at most 55 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen`
  if (NOT_TEXT.includes(name)) return `${got} which YAML does not read as text`
  if (name === 'kubernetes') return `${got} which is the name of the Service of the Kubernetes API`
  return name === current ? `${got} which is the name of the template` : undefined
}

/** A service that was made before WITH existed has SUITES, and all capabilities. */
function translateSuites(suites: string | undefined, { capabilities }: Template): string {
  if (suites === undefined || suites === 'all') return 'all'
  return [...(suites === 'none' ? [] : [suites]), ...capabilities].join(',') || 'none'
}

/**
 * Reads the variables of `make init`. `make upgrade` of a service that was made before LICENSE existed sets
 * HISTORY=reset and no LICENSE. Such a service keeps the license that it got then.
 *
 * @throws with one line for each problem
 */
export function readChoices(
  given: Readonly<Record<string, string | undefined>>,
  template: Template,
): { readonly choices: Choices; readonly keepsHistory: boolean } {
  const { NAME: name = '', EXAMPLE: example = 'yes', DEPLOY: deploy = 'all', HISTORY: history = 'new' } = given
  const isOlder = history === 'reset' && given['LICENSE'] === undefined
  const { LICENSE: license = isOlder ? 'MIT' : 'none', OWNER: owner = isOlder ? `the ${name} authors` : '' } = given
  const { WITH: chosen = translateSuites(given['SUITES'], template) } = given
  const { ways, suites, capabilities } = template
  const folders = chosen === 'all' || chosen === 'none' ? [] : chosen.split(',')
  const problem = findNameProblem(name, template)
  const check = (variable: string, values: readonly string[], allowed: readonly string[]) =>
    values
      .filter((value) => !allowed.includes(value))
      .map((value) => `${variable}: got ${JSON.stringify(value)}, expected one of ${allowed.join(', ')}`)
  const checkList = (variable: string, values: readonly string[]) =>
    values
      .filter((value) => values.length > 1 && ['all', 'none'].includes(value))
      .map((value) => `${variable}: got ${JSON.stringify(value)} in a list, expected it alone`)
  const problems = [
    ...(problem === undefined ? [] : [`NAME: ${problem}`]),
    ...check('EXAMPLE', [example], ['yes', 'no']),
    ...check('HISTORY', [history === 'reset' ? 'new' : history], ['new', 'keep']),
    ...check('DEPLOY', deploy === 'all' ? [] : deploy.split(','), ['all', ...ways]),
    ...checkList('DEPLOY', deploy.split(',')),
    ...check('WITH', folders, ['all', 'none', ...capabilities, ...suites]),
    ...checkList('WITH', folders),
    ...folders.flatMap((name) =>
      (CAPABILITIES[name]?.needs ?? [])
        .filter((needed) => !folders.includes(needed))
        .map((needed) => `WITH: ${name} needs ${needed}`),
    ),
    ...(example === 'no' && folders.some((folder) => suites.includes(folder))
      ? ['WITH: the suites test the example, which EXAMPLE=no deletes']
      : []),
    ...check('LICENSE', [license], LICENSES),
    ...(license !== 'none' && owner === '' ? [`OWNER: is missing: LICENSE=${license} OWNER='Example Ltd'`] : []),
    ...(/["\\\p{Cc}]/u.test(owner) ? [`OWNER: got ${JSON.stringify(owner)}, expected a name without quotes`] : []),
  ]
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return { choices: { name, example, deploy, with: chosen, license, owner }, keepsHistory: history === 'keep' }
}

/** Asks for the license and its owner, unless they are given. */
export async function askLicense(
  { LICENSE: given, OWNER: owner }: Readonly<Record<string, string | undefined>>,
  ask: (question: string) => Promise<string>,
): Promise<Readonly<Record<'LICENSE' | 'OWNER', string>>> {
  const LICENSE = given ?? ((await ask(`License, one of ${LICENSES.join(', ')} (none): `)).trim() || 'none')
  return { LICENSE, OWNER: owner ?? (LICENSE === 'none' ? '' : (await ask('Owner of the copyright: ')).trim()) }
}
