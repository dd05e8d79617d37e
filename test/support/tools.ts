import { findOnPath } from '../../scripts/services/path.ts'
import { run } from './run.ts'

/**
 * Installs Debian packages when one of their tools is missing, where that needs no password.
 * Resolves with what went wrong.
 */
export async function missingTools(tools: readonly string[], packages: string): Promise<string | undefined> {
  const missing = () => tools.filter((tool) => findOnPath(tool) === undefined).join(', ')
  if (missing() === '') return
  if (findOnPath('apt-get') === undefined) return `${missing()}: not here, and there is no apt-get to install them`
  const install = `apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${packages}`
  const [file = '', ...prefix] = process.getuid?.() === 0 ? ['sh', '-c'] : ['sudo', '-n', 'sh', '-c']
  process.stderr.write(`installing: ${install}\n`)
  const { stderr } = await run(file, [...prefix, install]).catch((error: Error) => ({ stderr: error.message }))
  return missing() === '' ? undefined : `${missing()}: not here, and could not be installed:\n${stderr.trim()}`
}

/** The same for a test that is nothing without them. @throws with how to get them */
export async function needTools(tools: readonly string[], packages: string): Promise<void> {
  const problem = await missingTools(tools, packages)
  if (problem !== undefined) throw new Error(problem)
}
