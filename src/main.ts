import { inspect } from 'node:util'
import type { Config } from '#config/env.ts'
import { ConfigError, describeConfig, loadAddress } from '#config/load.ts'
import { createSettings, type Held, resumeSettings, type Settings } from '#config/settings.ts'
import type { App } from '#internal/app.ts'
import { buildInfo } from '#internal/build-info.ts'
// By its file and not by the index: no command but `serve` needs a logger.
import { withoutCredentials } from '#pkg/logging/credentials.ts'
import type { PrimaryLink } from '#pkg/workers/index.ts'

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
  worker: () => refusing(worker),
  migrate: () => withConfig(migrate),
  healthcheck: async () => ((await refusing(() => healthcheck(loadAddress(process.env)))) === 0 ? 0 : 1),
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

const withSettings = (command: (settings: Settings) => Promise<ExitCode>) =>
  refusing(() => command(createSettings(process.env)))

async function refusing(command: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await command()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    err(error.message)
    return 78
  }
}

async function serve(settings: Settings): Promise<ExitCode> {
  const { readSystemd } = await import('#pkg/systemd/index.ts')
  const systemd = readSystemd(process.env, process.pid)
  if (settings.current().WORKERS > 1) {
    const { createPrimary } = await import('#internal/primary.ts')
    return run(await createPrimary(settings, systemd))
  }
  const { createApp } = await import('#internal/app.ts')
  return run(await createApp(settings, systemd))
}

/** One of the processes that `serve` starts with WORKERS: what it has to know comes from there. */
async function worker(): Promise<ExitCode> {
  const [{ linkToPrimary }, { createApp }, { serviceLink }] = await Promise.all([
    import('#pkg/workers/index.ts'),
    import('#internal/app.ts'),
    import('#internal/primary.ts'),
  ])
  const link = await linkToPrimary()
  if (link === undefined) {
    err('worker is started by serve, when there are WORKERS')
    return 64
  }
  const settings = resumeSettings(link.given as Held)
  // The manager of services knows the primary only.
  return run(await createApp(settings, { notify: false }, serviceLink(link)), link)
}

async function run({ lifecycle, logger, reload }: App, link?: PrimaryLink): Promise<ExitCode> {
  const { runUntilStopped } = await import('#pkg/lifecycle/index.ts')
  return runUntilStopped({
    lifecycle,
    process: link?.signals ?? process,
    reload,
    ...(link && { onServing: link.ready }),
    onEvent: (event) => {
      if (event.type !== 'signal') logger.fatal({ err: event.error }, event.type)
      // An order of the primary's is no signal that somebody has sent.
      else if (link === undefined) logger.info({ signal: event.signal }, 'signal')
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

async function healthcheck({ HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>): Promise<ExitCode> {
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
