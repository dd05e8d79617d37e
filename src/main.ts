import { inspect } from 'node:util'
import type { Config } from '#config/env.ts'
import { ConfigError, describeConfig } from '#config/load.ts'
import { createSettings, type Settings } from '#config/settings.ts'
import type { App } from '#internal/app.ts'
import { buildInfo } from '#internal/build-info.ts'
import type { SignalSource } from '#pkg/lifecycle/index.ts'
// By its file and not by the index: no command but `serve` needs a logger.
import { withoutCredentials } from '#pkg/logging/credentials.ts'

const USAGE = `usage: app [serve | migrate | healthcheck | config | version]

  serve        answer requests until SIGTERM or SIGINT (the default)
  migrate      bring the database up to this version
  healthcheck  exit 0 when the service on this machine is ready, 1 otherwise
  config       print the effective configuration, secrets masked
  version      print version, commit and time of this build
`

/** As in package.json, for the bundle on a machine's own Node. */
const OLDEST_NODE = 24

/** https://man.freebsd.org/sysexits: 64 wrong usage, 78 invalid configuration. */
type ExitCode = 0 | 1 | 64 | 78

const out = (text: string) => void process.stdout.write(`${text}\n`)
const err = (text: string) => void process.stderr.write(`${text}\n`)

/** Each loads only what it needs: a health check does not pay for a server. */
const commands: Readonly<Record<string, () => Promise<ExitCode>>> = {
  serve: () => withSettings(serve),
  migrate: () => withConfig(migrate),
  healthcheck: async () => ((await withConfig(healthcheck)) === 0 ? 0 : 1),
  config: () =>
    withConfig(async (config) => {
      out(describeConfig(config))
      return 0
    }),
  async version() {
    out(
      `${buildInfo.name} ${buildInfo.version} (commit ${buildInfo.commit}, ${buildInfo.time}, node ${process.version})`,
    )
    return 0
  },
}

const withConfig = (command: (config: Config) => Promise<ExitCode>) => withSettings(({ current }) => command(current()))

async function withSettings(command: (settings: Settings) => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await command(createSettings(process.env))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    err(error.message)
    return 78
  }
}

async function serve(settings: Settings): Promise<ExitCode> {
  const [{ createApp }, { readSystemd }] = await Promise.all([
    import('#internal/app.ts'),
    import('#pkg/systemd/index.ts'),
  ])
  const systemd = readSystemd(process.env, process.pid)
  if (settings.current().WORKERS === 1) return run(await createApp(settings, systemd), process)

  const [{ linkToPrimary }, { createPrimary, serviceLink }] = await Promise.all([
    import('#pkg/workers/index.ts'),
    import('#internal/primary.ts'),
  ])
  const link = linkToPrimary()
  if (link === undefined) return run(await createPrimary(settings, systemd), process)
  // The manager of services knows the primary only.
  return run(await createApp(settings, { notify: false }, serviceLink(link)), link.signals, link.ready)
}

async function run(
  { lifecycle, logger, reload }: App,
  signals: SignalSource,
  onServing?: () => void,
): Promise<ExitCode> {
  const { runUntilStopped } = await import('#pkg/lifecycle/index.ts')
  return runUntilStopped({
    lifecycle,
    process: signals,
    reload,
    ...(onServing && { onServing }),
    onEvent: (event) => {
      if (event.type === 'signal') logger.info({ signal: event.signal }, 'signal')
      else logger.fatal({ err: event.error }, event.type)
    },
  })
}

async function migrate(config: Config): Promise<ExitCode> {
  const { migrateDatabase } = await import('#internal/app.ts')
  const applied = await migrateDatabase(config)
  for (const name of applied) out(`applied ${name}`)
  if (applied.length === 0) out('nothing to apply: the database is up to date')
  return 0
}

async function healthcheck({ HOST, PORT }: Config): Promise<ExitCode> {
  const { readiness } = await import('#internal/healthcheck.ts')
  const { ready, answer } = await readiness({ host: HOST, port: PORT })
  ;(ready ? out : err)(answer)
  return ready ? 0 : 1
}

async function main(args: readonly string[]): Promise<ExitCode> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    err(`Node ${OLDEST_NODE} or later is needed, and this is ${process.version}`)
    return 1
  }
  const [given = 'serve', ...rest] = args
  const name = given === '--version' ? 'version' : given
  if (name === 'help' || name === '--help' || name === '-h') {
    out(USAGE)
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined && rest.length === 0) return command()
  err(`${command === undefined ? `unknown command ${JSON.stringify(name)}` : `${name} takes no arguments`}\n\n${USAGE}`)
  return 64
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    // Nobody expected it here, so where it comes from matters more than a short message.
    err(withoutCredentials(inspect(error)))
    process.exit(1)
  },
)
