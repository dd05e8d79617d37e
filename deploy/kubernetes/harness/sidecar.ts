import { join } from 'node:path'
import { freePort, launch } from '../../../scripts/services/service.ts'
import { installEnvoy } from '../../../test/support/install.ts'
import { run } from '../../../test/support/run.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import type { SidecarPlan } from './manifest.ts'

export interface Sidecar {
  /** Takes the requests of the pod. */
  readonly port: number
  /** Runs the hook of the termination. */
  preStop(): Promise<void>
  /** Sends SIGTERM. */
  stop(): Promise<void>
}

/** All pods share one address here, so each sidecar replaces the ports of the manifest with free ports. */
const PORTS = { inbound: '8000', service: '8080', admin: '9901' }

/** Starts the real Envoy with the arguments of a sidecar, in front of the port of a service. */
export async function startSidecar({ args, preStop }: SidecarPlan, servicePort: number): Promise<Sidecar> {
  const port = await freePort()
  const ports: Record<string, number> = {
    [PORTS.inbound]: port,
    [PORTS.service]: servicePort,
    [PORTS.admin]: await freePort(),
  }
  const replace = (text: string) => text.replace(/\b(8000|8080|9901)\b/g, (name) => String(ports[name]))
  const { stop } = await launch({
    command: await installEnvoy(),
    args: args.map(replace),
    readyPattern: /starting workers/,
    logFile: join(temporaryDirectory('sidecar'), 'envoy.log'),
    stopSignal: 'SIGTERM',
  })
  return {
    port,
    async preStop() {
      const [command = '', ...rest] = preStop.map(replace)
      const { stdout } = await run(command, rest)
      if (!stdout.startsWith('HTTP/1.1 200')) throw new Error(`the preStop hook failed: ${stdout}`)
    },
    stop,
  }
}
