import { join } from 'node:path'
import { findOnPath } from '../../scripts/services/path.ts'
import { freePort, launch } from '../../scripts/services/service.ts'
import { createRegistry, fetchJson, type TestRegistry } from '../../test/discovery/registry.ts'
import { buildGoProgram } from '../../test/support/install.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

const TOKEN = '11111111-2222-4333-8444-555555555555'

interface Entry {
  readonly Service: { readonly Address: string; readonly Port: number }
}

/** Takes Consul from PATH, or builds it. @throws when neither Consul nor Go is installed, or when the build fails */
async function installConsul(): Promise<string> {
  return (
    findOnPath('consul') ?? (await buildGoProgram(join(import.meta.dirname, 'server'), 'github.com/hashicorp/consul'))
  )
}

/** Starts a Consul agent that is its own server. It denies requests without a token. */
export async function startConsul(): Promise<TestRegistry> {
  const command = await installConsul()
  const directory = temporaryDirectory('consul')
  const ports = { http: 0, server: 0, serf_lan: 0, serf_wan: 0 }
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort()
  const settings = {
    ports: { ...ports, dns: -1, grpc: -1, grpc_tls: -1 },
    acl: { enabled: true, default_policy: 'deny', tokens: { initial_management: TOKEN, agent: TOKEN } },
  }
  const start = () =>
    launch({
      command,
      args: ['agent', '-dev', '-bind=127.0.0.1', '-client=127.0.0.1', '-hcl', JSON.stringify(settings)],
      // Until then, the agent cannot check a token.
      readyPattern: /Synced node info/,
      logFile: join(directory, 'consul.log'),
      stopSignal: 'SIGKILL',
    })
  return createRegistry(start, {
    address: `consul://127.0.0.1:${ports.http}`,
    password: TOKEN,
    async list(service) {
      const url = `http://127.0.0.1:${ports.http}/v1/health/service/${service}?passing=true`
      const entries = await fetchJson<readonly Entry[]>(url, { headers: { 'x-consul-token': TOKEN } })
      return entries.map(({ Service }) => `${Service.Address}:${Service.Port}`)
    },
  })
}
