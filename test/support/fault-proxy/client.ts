import type { Toxic } from './link.ts'
import type { ProxyState } from './proxy.ts'

export type NewToxic = Pick<Toxic, 'type'> & Partial<Toxic>

/** Calls the HTTP API of Toxiproxy. */
export function createFaultClient(url: string) {
  async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${url}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }

  async function expectOk(method: string, path: string, body?: unknown): Promise<unknown> {
    const result = await call(method, path, body)
    if (result.status > 299) throw new Error(`${method} ${path}: ${result.status} ${JSON.stringify(result.body)}`)
    return result.body
  }

  return {
    call,
    /** Creates a proxy in front of `host:port`. Resolves with its own `host:port`. */
    async add(name: string, upstream: string): Promise<string> {
      const created = await expectOk('POST', '/proxies', { name, listen: '127.0.0.1:0', upstream })
      return (created as ProxyState).listen
    },
    enable: (name: string, enabled: boolean) => expectOk('POST', `/proxies/${name}`, { enabled }),
    /** The name of the toxic is its type and its stream, as in `latency_downstream`. */
    addToxic: (name: string, toxic: NewToxic) => expectOk('POST', `/proxies/${name}/toxics`, toxic),
    removeToxic: (name: string, toxic: string) => expectOk('DELETE', `/proxies/${name}/toxics/${toxic}`),
    /** Enables every proxy and removes every toxic. */
    reset: () => expectOk('POST', '/reset'),
  }
}
