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

/** YAML, the format of the manifests, reads these words as values that are not text. */
const NOT_TEXT = ['true', 'false', 'null', 'yes', 'no', 'on', 'off', 'y', 'n']

interface Template {
  readonly name: string
  readonly ways: readonly string[]
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

/** Reads the variables of `make init`. @throws with one line for each problem */
export function readChoices(
  given: Readonly<Record<string, string | undefined>>,
  template: Template,
): { readonly choices: Choices; readonly reset: boolean } {
  const { NAME: name = '', EXAMPLE: example = 'yes', DEPLOY: deploy = 'all', HISTORY: history = 'keep' } = given
  const problem = findNameProblem(name, template)
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
