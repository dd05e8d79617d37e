import { inspect } from 'node:util'
import { describeConnections } from '#config/connections.ts'
import type { Config } from '#config/env.ts'
import { ConfigError, describeConfig, loadAddress, withoutSecrets } from '#config/load.ts'
import { groupOptions } from '#config/options.ts'
import { createSettings } from '#config/settings.ts'
import { buildInfo } from '#internal/build-info.ts'
import { withoutCredentials } from '#pkg/logging/credentials.ts'

const USAGE = `usage: app [serve | migrate | healthcheck | config | version | bridge | respond]

  serve        serve requests until SIGTERM or SIGINT (the default)
  migrate      bring the database up to this version; with --status, only list applied and pending migrations
  healthcheck  exit 0 when the service on this machine is ready, 1 otherwise
  config       print the effective configuration, secrets masked
  version      print version, commit and time of this build
  bridge       keep a proxy's list of instances equal to a registry's, until SIGTERM or SIGINT
  respond      turn alerts of Alertmanager into actions until SIGTERM or SIGINT
`

/** The oldest version in `engines` of package.json. The bundle runs on the installed Node, which may be older. */
const OLDEST_NODE = 24

/** https://man.freebsd.org/sysexits: 64 wrong usage, 78 invalid configuration. */
type ExitCode = 0 | 1 | 64 | 78

const out = (text: string) => void process.stdout.write(`${text}\n`)
const err = (text: string) => void process.stderr.write(`${text}\n`)

/** Each command loads only the modules that it needs. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<ExitCode>>> = {
  async serve() {
    const settings = createSettings(process.env)
    const [{ readSystemd }, { createApp }] = await Promise.all([import('#pkg/systemd.ts'), import('#internal/app.ts')])
    return createApp(settings, readSystemd(process.env, process.pid)).start()
  },
  migrate: (args) => migrate(createSettings(process.env).current(), args.includes('--status')),
  async healthcheck() {
    const { HOST, PORT } = loadAddress(process.env)
    const { readiness } = await import('#internal/healthcheck.ts')
    const { ready, message } = await readiness(HOST, PORT)
    ;(ready ? out : err)(message)
    return ready ? 0 : 1
  },
  async config() {
    const config = createSettings(process.env).current()
    out(describeConfig(config))
    const connections = describeConnections(config)
    if (connections !== undefined) err(connections)
    return 0
  },
  async version() {
    const { name, version, commit, time } = buildInfo
    out(`${name} ${version} (commit ${commit}, ${time}, node ${process.version})`)
    return 0
  },
  async bridge() {
    const { loadBridge } = await import('#config/bridge.ts')
    const config = loadBridge(process.env)
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
      nginx: { command: config.BRIDGE_NGINX, environment: withoutSecrets(process.env) },
      admin: { host: config.HOST, port: config.ADMIN_PORT },
      log: { ...groupOptions(config).log, service: `${service}-bridge`, version: buildInfo.version },
    })
  },
  async respond() {
    const { loadResponder } = await import('#config/responder.ts')
    const { parseRules } = await import('#pkg/respond/index.ts')
    const config = loadResponder(process.env, parseRules)
    const { log, timeouts } = groupOptions(config)
    const { createRespond } = await import('#internal/respond.ts')
    return createRespond({
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
      environment: withoutSecrets(process.env),
    }).start()
  },
}

async function migrate(config: Config, status: boolean): Promise<ExitCode> {
  const url = config.MIGRATION_DATABASE_URL ?? config.DATABASE_URL
  if (url === undefined) throw new ConfigError(['DATABASE_URL: got nothing, expected the database to migrate'])
  const { ConnectionError, MigrationError, migrate, reportMigrations } = await import('#internal/store/migrate.ts')
  const options = {
    url,
    applicationName: `${config.SERVICE_NAME ?? buildInfo.name} migrate`,
    connectTimeoutMs: config.DATABASE_CONNECT_TIMEOUT_MS,
    say: out,
  }
  try {
    if (status) {
      await reportMigrations(options)
      return 0
    }
    const applied = await migrate(options)
    if (applied.length === 0) out('nothing to apply: the database is up to date')
    return 0
  } catch (error) {
    if (!(error instanceof MigrationError || error instanceof ConnectionError)) throw error
    err(error.message)
    return 1
  }
}

async function main(args: readonly string[]): Promise<ExitCode> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    err(`Node ${OLDEST_NODE} or later is required, but this is ${process.version}`)
    return 1
  }
  const [given = 'serve', ...rest] = args
  const name = given === '--version' ? 'version' : given
  if (name === 'help' || name === '--help' || name === '-h') {
    out(USAGE)
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  const options = name === 'migrate' ? ['--status'] : []
  if (command !== undefined && rest.every((arg) => options.includes(arg))) return command(rest)
  const refusal = options.length === 0 ? `${name} takes no arguments` : `${name} takes only ${options.join(', ')}`
  err(`${command === undefined ? `unknown command ${JSON.stringify(name)}` : refusal}\n\n${USAGE}`)
  return 64
}

const args = process.argv.slice(2)
main(args).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const isConfigError = error instanceof ConfigError
    // An unexpected error is a defect, so print its stack.
    err(isConfigError ? error.message : withoutCredentials(inspect(error)))
    // `app healthcheck` exits with 0 or 1 only.
    process.exit(isConfigError && args[0] !== 'healthcheck' ? 78 : 1)
  },
)
