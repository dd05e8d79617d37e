import { findOnPath } from '../../scripts/services/path.ts'
import { run } from './run.ts'

/**
 * Installs Debian packages when one of their tools is missing, if that needs no password. Resolves with a description
 * of the problem when the installation fails.
 */
export async function missingTools(tools: readonly string[], packages: string): Promise<string | undefined> {
  const missing = () => tools.filter((tool) => findOnPath(tool) === undefined).join(', ')
  if (missing() === '') return
  if (findOnPath('apt-get') === undefined) return `${missing()}: not installed, and apt-get is missing`
  // The lock lets one apt-get run at a time. RUNLEVEL=1 keeps packages from starting their services.
  const apt = `apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends ${packages}`
  const install = `flock /tmp/apt-get.lock sh -c '${apt}'`
  const [file = '', ...prefix] = process.getuid?.() === 0 ? ['sh', '-c'] : ['sudo', '-n', 'sh', '-c']
  process.stderr.write(`installing: ${packages}\n`)
  const { stderr } = await run(file, [...prefix, install]).catch((error: Error) => ({ stderr: error.message }))
  return missing() === '' ? undefined : `${missing()}: the installation failed:\n${stderr.trim()}`
}

/** Installs the tools of a test. @throws with the problem when the installation fails */
export async function needTools(tools: readonly string[], packages: string): Promise<void> {
  const problem = await missingTools(tools, packages)
  if (problem !== undefined) throw new Error(problem)
}

/** Installs a tool when it is missing. @returns its path. @throws with the problem when the installation fails */
export async function debianTool(tool: string, debianPackage: string): Promise<string> {
  await needTools([tool], debianPackage)
  return findOnPath(tool) ?? tool
}
