import { type Environment, withoutSecrets } from '#config/load.ts'
import { groupOptions } from '#config/options.ts'
import { buildInfo } from '#internal/build-info.ts'

/** The command `app respond` (docs/responder.md). */
export const respond = {
  summary: 'turn alerts of Alertmanager into actions until SIGTERM or SIGINT',
  async run(environment: Environment): Promise<0 | 1> {
    const { loadResponder } = await import('#config/responder.ts')
    const { parseRules } = await import('#pkg/respond/index.ts')
    const config = loadResponder(environment, parseRules)
    const { log, timeouts } = groupOptions(config)
    const { runResponder } = await import('#internal/respond.ts')
    return runResponder({
      service: config.SERVICE_NAME ?? buildInfo.name,
      log,
      timeouts,
      host: config.HOST,
      port: config.RESPONDER_PORT,
      shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      rules: config.rules,
      secret: config.RESPONDER_SECRET,
      stateFile: config.RESPONDER_STATE,
      dryRun: config.RESPONDER_DRY_RUN,
      settingsFile: config.SETTINGS_FILE,
      defaults: { UPSTREAM_OPEN: config.UPSTREAM_OPEN, FEATURES: config.FEATURES },
      wecomUrl: config.RESPONDER_WECOM_URL,
      prometheusUrl: config.RESPONDER_PROMETHEUS,
      environment: withoutSecrets(environment),
    })
  },
}
