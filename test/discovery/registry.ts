/** A real registry on a fixed port of the loopback address. */
export interface TestRegistry {
  /** The value of REGISTRY. */
  readonly address: string
  /** The value of REGISTRY_PASSWORD. */
  readonly password: string | undefined
  /** Lists `host:port` of the instances of a service that may get requests, sorted, as the API reports them. */
  list(service: string): Promise<readonly string[]>
  /** Sends SIGKILL. Resolves when the process has ended. */
  kill(): Promise<void>
  /** Starts the registry again, without its earlier data. Resolves when it accepts registrations. */
  startEmpty(): Promise<void>
}

/** Sends a request and parses the response. @throws when the status is not 200 */
export async function fetchJson<T>(url: string, options?: RequestInit): Promise<T> {
  const response = await fetch(url, options)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`)
  return JSON.parse(text)
}

/** Creates a registry from its start function. */
export async function createRegistry(
  start: () => Promise<{ stop(): Promise<void> }>,
  registry: Pick<TestRegistry, 'address' | 'password' | 'list'>,
): Promise<TestRegistry> {
  let running = await start()
  return {
    ...registry,
    list: async (service) => [...(await registry.list(service))].sort(),
    kill: () => running.stop(),
    async startEmpty() {
      running = await start()
    },
  }
}
