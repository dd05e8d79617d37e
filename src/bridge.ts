import { type Environment, withoutSecrets } from '#config/load.ts'
import { groupOptions } from '#config/options.ts'
import { buildInfo } from '#internal/build-info.ts'

/** The command `app bridge` (docs/discovery.md). */
export const bridge = {
  summary: "keep a proxy's list of instances equal to a registry's, until SIGTERM or SIGINT",
  async run(environment: Environment): Promise<0 | 1> {
    const { loadBridge } = await import('#config/bridge.ts')
    const config = loadBridge(environment)
    const service = config.SERVICE_NAME ?? buildInfo.name
    const { runBridge } = await import('#internal/bridge.ts')
    return runBridge({
      registry: config.REGISTRY,
      instances: config.BRIDGE_INSTANCES,
      password: config.REGISTRY_PASSWORD,
      service: config.BRIDGE_SERVICE ?? service,
      sink: config.BRIDGE_SINK,
      stateFile: config.BRIDGE_STATE,
      pollMs: config.BRIDGE_POLL_MS,
      graceMs: config.BRIDGE_GRACE_MS,
      allowEmpty: config.BRIDGE_ALLOW_EMPTY,
      nginx: { command: config.BRIDGE_NGINX, environment: withoutSecrets(environment) },
      admin: { host: config.HOST, port: config.ADMIN_PORT },
      log: { ...groupOptions(config).log, service: `${service}-bridge`, version: buildInfo.version },
    })
  },
}
