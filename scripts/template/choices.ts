/** What a service keeps of the template, as it is asked for and as `.template.json` records it. */
export interface Choices {
  readonly name: string
  /** `yes` or `no`. */
  readonly example: string
  /** Folders of deploy/, with commas between. `all`: those of later versions too. */
  readonly deploy: string
}

/**
 * It becomes a DNS label and the name of an image, and in Kubernetes `-migrate` follows it in a label of at most 63
 * characters. It is never an identifier in code, so a reserved word such as `new` is as good as any.
 */
const VALID_NAME = /^[a-z]([a-z0-9-]{0,53}[a-z0-9])?$/

/** YAML reads these as something else than text, in the manifests. */
const NOT_TEXT = ['true', 'false', 'null', 'yes', 'no', 'on', 'off', 'y', 'n']

function nameProblem(name: string, current: string): string | undefined {
  if (name === '') return 'is missing: make init NAME=orders'
  const got = `got ${JSON.stringify(name)},`
  if (!VALID_NAME.test(name))
    return `${got} expected at most 55 lower-case letters, digits and hyphens, the first a letter, the last no hyphen`
  if (NOT_TEXT.includes(name)) return `${got} which is a value of its own in YAML`
  if (name === 'kubernetes') return `${got} which is the Service of every cluster's own API`
  return name === current ? `${got} which is the template's own` : undefined
}

/** @returns the choices, or what is wrong with them, one line each */
export function readChoices(
  given: Readonly<Record<string, string | undefined>>,
  template: { readonly name: string; readonly ways: readonly string[] },
): { readonly choices: Choices; readonly reset: boolean } | { readonly problems: readonly string[] } {
  const { NAME: name = '', EXAMPLE: example = 'yes', DEPLOY: deploy = 'all', HISTORY: history = 'keep' } = given
  const unknown = deploy === 'all' ? [] : deploy.split(',').filter((way) => !template.ways.includes(way))
  const oneOf = (variable: string, value: string, allowed: readonly string[]) =>
    allowed.includes(value) ? [] : [`${variable}: got ${JSON.stringify(value)}, expected ${allowed.join(' or ')}`]
  const problem = nameProblem(name, template.name)
  const problems = [
    ...(problem === undefined ? [] : [`NAME: ${problem}`]),
    ...oneOf('EXAMPLE', example, ['yes', 'no']),
    ...oneOf('HISTORY', history, ['keep', 'reset']),
    ...unknown.map((way) => `DEPLOY: got ${JSON.stringify(way)}, expected all or some of ${template.ways.join(',')}`),
  ]
  if (problems.length > 0) return { problems }
  return { choices: { name, example, deploy }, reset: history === 'reset' }
}
