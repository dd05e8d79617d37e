import { execFileSync } from 'node:child_process'
import { findOnPath } from '../../scripts/services/path.ts'

/**
 * The path of a program, its Debian package installed first where that needs no password.
 * @throws saying what is missing: a proxy that was not run is a test that was not made
 */
export function debianTool(tool: string, debianPackage: string): string {
  const find = () => findOnPath(tool)
  const found = find()
  if (found !== undefined) return found
  const install = `DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${debianPackage}`
  // One at a time, whatever else runs, and the package's own service is not started.
  const command = `flock /tmp/apt-get.lock sh -c 'apt-get update -qq && RUNLEVEL=1 ${install}'`
  process.stderr.write(`installing: ${install}\n`)
  try {
    const [file = '', ...prefix] = process.getuid?.() === 0 ? ['sh', '-c'] : ['sudo', '-n', 'sh', '-c']
    execFileSync(file, [...prefix, command], { stdio: ['ignore', 'ignore', 'inherit'] })
  } catch (cause) {
    throw new Error(`${tool} is needed and could not be installed: ${install}`, { cause })
  }
  const installed = find()
  if (installed === undefined) throw new Error(`${debianPackage} has no ${tool}`)
  return installed
}
