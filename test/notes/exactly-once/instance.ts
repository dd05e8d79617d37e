import { type AppOptions, type RunningApp, startApp } from '../../support/app.ts'
import { freePort } from '../../support/services.ts'

/** An instance of the service on one port. */
export interface Instance {
  readonly url: string
  /** Name of its connections in `pg_stat_activity`. */
  readonly name: string
  start(): Promise<void>
  kill(): Promise<void>
  /** Resolves with its exit code. */
  stop(): Promise<number | null>
}

export async function createInstance(name: string, options: AppOptions): Promise<Instance> {
  const port = await freePort()
  let app: RunningApp | undefined
  async function end(signal: NodeJS.Signals): Promise<number | null> {
    app?.signal(signal)
    return (await app?.ended)?.code ?? null
  }
  return {
    url: `http://127.0.0.1:${port}`,
    name,
    async start() {
      app = await startApp({ ...options, env: { ...options.env, SERVICE_NAME: name, PORT: String(port) } })
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGINT'),
  }
}
