import { execFile } from 'node:child_process'
import type { Provider } from './experiment.ts'
import type { Output } from './tolerance.ts'

type Http = Extract<Provider, { type: 'http' }>
type Process = Extract<Provider, { type: 'process' }>

function toBody({ headers, arguments: given }: Http): { body?: string | URLSearchParams } {
  if (given === undefined) return {}
  if (headers?.['Content-Type'] === 'application/json') return { body: JSON.stringify(given) }
  return { body: typeof given === 'string' ? given : new URLSearchParams(given as Record<string, string>) }
}

async function callHttp(provider: Http): Promise<Output> {
  const { url, method = 'GET', headers, timeout, arguments: given } = provider
  const target = new URL(url)
  const isGet = method.toUpperCase() === 'GET'
  if (isGet && typeof given === 'object') {
    for (const [key, value] of Object.entries(given)) target.searchParams.append(key, String(value))
  }
  const response = await fetch(target, {
    method,
    // Each activity has a connection of its own, as in the Chaos Toolkit.
    headers: { ...headers, connection: 'close' },
    ...(!isGet && toBody(provider)),
    ...(timeout !== undefined && { signal: AbortSignal.timeout(Number(timeout) * 1_000) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type') === 'application/json'
  return { status: response.status, body: isJson ? JSON.parse(text) : text }
}

function runProcess({ path, arguments: given = [], timeout }: Process, env: NodeJS.ProcessEnv): Promise<Output> {
  const [file, args] =
    typeof given === 'string' ? ['/bin/sh', ['-c', `${path} ${given}`]] : [path, given.map((each) => String(each))]
  const options = { env, ...(timeout !== undefined && { timeout: timeout * 1_000, killSignal: 'SIGKILL' as const }) }
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error?.killed) reject(new Error('the process took too long'))
      else if (error && typeof error.code !== 'number') reject(error)
      else resolve({ status: Number(error?.code ?? 0), stdout, stderr })
    })
  })
}

/** Executes an activity whose variables are replaced. @throws when there is no response in time, or no such command */
export function execute(provider: Provider, env: NodeJS.ProcessEnv): Promise<Output> {
  return provider.type === 'http' ? callHttp(provider) : runProcess(provider, env)
}
