/** The choices of `make init`, which `.template.json` records. */
export interface Choices {
  readonly name: string
  /** `yes` or `no`. */
  readonly example: string
  /** Folders of deploy/, separated by commas. `all` includes the folders of later versions. */
  readonly deploy: string
}

/**
 * The name becomes a DNS label and the name of an image. Kubernetes limits a label to 63 characters, and the manifests
 * append `-migrate` to the name. Code never uses the name as an identifier, so a reserved word such as `new` is valid.
 */
const VALID_NAME = /^[a-z]([a-z0-9-]{0,53}[a-z0-9])?$/

const FORM = 'expected at most 55 lower-case letters, digits and hyphens, the first a letter, the last no hyphen'

/** Names that the manifests, which are YAML, cannot use. */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  'which YAML does not read as text': ['true', 'false', 'null', 'yes', 'no', 'on', 'off', 'y', 'n'],
  'which is the name of the Service of the Kubernetes API': ['kubernetes'],
}

interface Template {
  readonly name: string
  readonly ways: readonly string[]
}

function nameProblem(name: string, template: Template): string | undefined {
  if (name === '') return 'is missing: make init NAME=orders'
  const reserved = { ...RESERVED, 'which is the name of the template': [template.name] }
  const reason = VALID_NAME.test(name) ? Object.entries(reserved).find(([, names]) => names.includes(name))?.[0] : FORM
  return reason && `got ${JSON.stringify(name)}, ${reason}`
}

/** Reads the variables of `make init`. @throws with one line for each problem */
export function readChoices(
  given: Readonly<Record<string, string | undefined>>,
  template: Template,
): { readonly choices: Choices; readonly reset: boolean } {
  const { NAME: name = '', EXAMPLE: example = 'yes', DEPLOY: deploy = 'all', HISTORY: history = 'keep' } = given
  const problem = nameProblem(name, template)
  const check = (variable: string, values: readonly string[], allowed: readonly string[]) =>
    values
      .filter((value) => !allowed.includes(value))
      .map((value) => `${variable}: got ${JSON.stringify(value)}, expected one of ${allowed.join(', ')}`)
  const problems = [
    ...(problem === undefined ? [] : [`NAME: ${problem}`]),
    ...check('EXAMPLE', [example], ['yes', 'no']),
    ...check('HISTORY', [history], ['keep', 'reset']),
    ...check('DEPLOY', deploy === 'all' ? [] : deploy.split(','), ['all', ...template.ways]),
  ]
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return { choices: { name, example, deploy }, reset: history === 'reset' }
}
