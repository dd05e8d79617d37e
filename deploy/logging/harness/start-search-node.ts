import { join } from 'node:path'
import { freePort, launch } from '../../../scripts/services/service.ts'
import { installJars, JAVA_OPTIONS } from '../../../test/support/maven.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'

export interface SearchNode {
  /** Sends a request with a JSON body, or with lines of JSON. @throws Error with the response for a status from 400 */
  send<T = unknown>(method: string, path: string, body?: unknown): Promise<T>
  stop(): Promise<void>
}

/** Starts one OpenSearch node. Its templates, data streams and mappings work like those of Elasticsearch. */
export async function startSearchNode(): Promise<SearchNode> {
  const jars = await installJars(join(import.meta.dirname, 'opensearch'))
  const directory = temporaryDirectory('opensearch')
  const port = await freePort()
  const program = join(import.meta.dirname, 'opensearch/SearchNode.java')
  const running = await launch({
    command: 'java',
    args: [...JAVA_OPTIONS, '-cp', jars, program, directory, String(port)],
    readyPattern: /^ready$/m,
    logFile: join(directory, 'node.log'),
    stopSignal: 'SIGTERM',
  })
  return {
    async send(method, path, body) {
      const isLines = Array.isArray(body)
      const text = isLines ? body.map((line) => `${JSON.stringify(line)}\n`).join('') : JSON.stringify(body)
      const headers = { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' }
      const options = body === undefined ? { method } : { method, headers, body: text }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, options)
      const answer = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`)
      return JSON.parse(answer)
    },
    stop: () => running.stop(),
  }
}
