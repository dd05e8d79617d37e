import { inspect } from 'node:util'
import type { Config } from '#config/env.ts'
import { ConfigError, describeConfig, describeConnections, type Environment, loadAddress } from '#config/load.ts'
import { createSettings } from '#config/settings.ts'
import { buildInfo } from '#internal/build-info.ts'
import { withoutCredentials } from '#pkg/logging/credentials.ts'
import type { Systemd } from '#pkg/systemd.ts'
import { bridge } from './bridge.ts'
import { respond } from './respond.ts'

/** The oldest version in `engines` of package.json. The bundle runs on the installed Node, which may be older. */
const OLDEST_NODE = 24

/** https://man.freebsd.org/sysexits: 64 wrong usage, 78 invalid configuration. */
type ExitCode = 0 | 1 | 64 | 78

const out = (text: string) => void process.stdout.write(`${text}\n`)
const err = (text: string) => void process.stderr.write(`${text}\n`)

interface Command {
  /** One line of the usage. */
  readonly summary: string
  /** The options that the command accepts. @default none */
  readonly options?: readonly string[]
  run(environment: Environment, args: readonly string[]): Promise<ExitCode>
}

const serve: Command = {
  summary: 'serve requests until SIGTERM or SIGINT (the default)',
  async run(environment) {
    const settings = createSettings(environment)
    const [{ readSystemd }, { createApp }] = await Promise.all([import('#pkg/systemd.ts'), import('#internal/app.ts')])
    let systemd: Systemd
    try {
      systemd = readSystemd(environment, process.pid)
    } catch (error) {
      throw new ConfigError([(error as Error).message])
    }
    return createApp(settings, systemd).start()
  },
}

const healthcheck: Command = {
  summary: 'exit 0 when the service on this machine is ready, or with --live, when it responds; 1 otherwise',
  options: ['--live'],
  async run(environment, args) {
    const { HOST, PORT } = loadAddress(environment)
    const { healthcheck } = await import('#internal/healthcheck.ts')
    const { ok, message } = await healthcheck(args.includes('--live') ? 'live' : 'ready', HOST, PORT)
    ;(ok ? out : err)(message)
    return ok ? 0 : 1
  },
}

const config: Command = {
  summary: 'print the effective configuration, secrets masked',
  async run(environment) {
    const config = createSettings(environment).current()
    out(describeConfig(config))
    const connections = describeConnections(config)
    if (connections !== undefined) err(connections)
    return 0
  },
}

const version: Command = {
  summary: 'print version, commit and time of this build',
  async run() {
    const { name, version, commit, time } = buildInfo
    out(`${name} ${version} (commit ${commit}, ${time}, node ${process.version})`)
    return 0
  },
}

async function runMigrations(config: Config, status: boolean): Promise<ExitCode> {
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

const migrate: Command = {
  summary: 'bring the database up to this version; with --status, only list applied and pending migrations',
  options: ['--status'],
  run: (environment, args) => runMigrations(createSettings(environment).current(), args.includes('--status')),
}

/** In the order of the usage. Each command loads only the modules that it needs. */
const commands: Readonly<Record<string, Command>> = {
  serve,
  migrate,
  healthcheck,
  config,
  version,
  bridge,
  respond,
}

function describeUsage(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(11)}  ${summary}`)
  return `usage: app [${Object.keys(commands).join(' | ')}]\n\n${lines.join('\n')}\n`
}

async function main(args: readonly string[]): Promise<ExitCode> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    err(`Node ${OLDEST_NODE} or later is required, but this is ${process.version}`)
    return 1
  }
  const [given = 'serve', ...rest] = args
  const name = given === '--version' ? 'version' : given
  if (name === 'help' || name === '--help' || name === '-h') {
    out(describeUsage())
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  const options = command?.options ?? []
  if (command !== undefined && rest.every((arg) => options.includes(arg))) return command.run(process.env, rest)
  const refusal = options.length === 0 ? `${name} takes no arguments` : `${name} takes only ${options.join(', ')}`
  err(`${command === undefined ? `unknown command ${JSON.stringify(name)}` : refusal}\n\n${describeUsage()}`)
  return 64
}

const args = process.argv.slice(2)
// Node exits with 0 when the event loop is empty while the promise of the command is pending.
process.once('beforeExit', () => {
  err('the command ended without a result')
  process.exit(1)
})
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
