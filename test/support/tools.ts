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
  // One at a time, whatever else runs, and without starting a service that a package brings.
  const apt = `apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends ${packages}`
  const install = `flock /tmp/apt-get.lock sh -c '${apt}'`
  const [file = '', ...prefix] = process.getuid?.() === 0 ? ['sh', '-c'] : ['sudo', '-n', 'sh', '-c']
  process.stderr.write(`installing: ${packages}\n`)
  const { stderr } = await run(file, [...prefix, install]).catch((error: Error) => ({ stderr: error.message }))
  return missing() === '' ? undefined : `${missing()}: not here, and could not be installed:\n${stderr.trim()}`
}

/** The same for a test that is nothing without them. @throws with how to get them */
export async function needTools(tools: readonly string[], packages: string): Promise<void> {
  const problem = await missingTools(tools, packages)
  if (problem !== undefined) throw new Error(problem)
}

/** The path of one tool. @throws with how to get it */
export async function debianTool(tool: string, debianPackage: string): Promise<string> {
  await needTools([tool], debianPackage)
  return findOnPath(tool) ?? tool
}
