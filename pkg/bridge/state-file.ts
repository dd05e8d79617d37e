import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { type Endpoint, type Instance, readEndpoints } from './endpoints.ts'
import type { Sink } from './publisher.ts'
import { replaceFile } from './replace-file.ts'

/** Larger than a list of 100,000 endpoints. */
const MAX_BYTES = 16 * 1024 * 1024

export interface StateFile extends Sink {
  /** Returns the saved list, or undefined without a file. @throws when the file is damaged or of another service */
  read(): Promise<readonly Endpoint[] | undefined>
}

/** Keeps the last good list in a file, for a bridge that starts while the registry is down. */
export function createStateFile(path: string, service: string): StateFile {
  const checksum = (endpoints: unknown) =>
    createHash('sha256')
      .update(JSON.stringify([service, endpoints]))
      .digest('hex')

  return {
    async publish(endpoints) {
      await replaceFile(path, `${JSON.stringify({ service, sha256: checksum(endpoints), endpoints })}\n`)
    },

    async read() {
      const text = await readText(path)
      if (text === undefined) return undefined
      const { service: owner, sha256, endpoints } = parse(text)
      if (owner !== service) throw new Error(`${path} has the list of another service: ${JSON.stringify(owner)}`)
      if (sha256 !== checksum(endpoints)) throw new Error(`${path} is damaged: its checksum is wrong`)
      const list: readonly Instance[] = Array.isArray(endpoints) ? endpoints : []
      return readEndpoints(list.map((endpoint) => ({ ...endpoint, id: '' }))).endpoints
    },
  }

  function parse(text: string): { service?: unknown; sha256?: unknown; endpoints?: unknown } {
    try {
      return Object(JSON.parse(text))
    } catch {
      throw new Error(`${path} is damaged: it is not JSON`)
    }
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const file = await stat(path)
    if (!file.isFile() || file.size > MAX_BYTES) throw new Error(`${path} is not a file of at most ${MAX_BYTES} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
