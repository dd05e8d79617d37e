import { type Result, run, succeed } from '../support/run.ts'
import { missingTools } from '../support/tools.ts'

/**
 * Installs the tools that build and run an image, if that needs no password. Resolves with the reason for a failure.
 */
export const missingContainerTools = (): Promise<string | undefined> =>
  missingTools(['buildah', 'podman', 'mmdebstrap'], 'buildah podman runc mmdebstrap debian-archive-keyring')

/** Runs a build of this tag, and removes the previous image of the tag, which would otherwise stay without a name. */
export async function replaceImage(tag: string, build: () => Promise<unknown>): Promise<void> {
  const id = async () => (await run('podman', ['image', 'inspect', '--format', '{{.Id}}', tag])).stdout.trim()
  const before = await id()
  await build()
  if (before !== '' && before !== (await id())) await run('podman', ['rmi', before])
}

/** Calls `read` with a container of the image that does not run. */
async function withStopped<T>(image: string, read: (id: string) => Promise<T>): Promise<T> {
  const id = (await succeed('podman', ['create', image, 'not-run'])).trim()
  try {
    return await read(id)
  } finally {
    await run('podman', ['rm', id])
  }
}

/** Lists the paths of the files in an image. */
export const listImageFiles = (image: string): Promise<string[]> =>
  withStopped(image, async (id) => {
    const listing = await succeed('sh', ['-c', 'podman export "$0" | tar -t', id])
    return listing.split('\n').filter((path) => path !== '' && !path.endsWith('/'))
  })

/** Reads a text file of an image. */
export const readImageFile = (image: string, path: string): Promise<string> =>
  withStopped(image, (id) => succeed('sh', ['-c', 'podman cp "$0:$1" - | tar -xO', id, path]))

/** Limits that every host grants. Engines request more by default, which some hosts reject. */
const LIMITS = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=256:256']

/** The restrictions of a strict cluster: no writable file, not even in /tmp, and no privileges. */
const LOCKED = ['--read-only', '--read-only-tmpfs=false', '--cap-drop=all', '--security-opt=no-new-privileges']

export interface ContainerOptions {
  readonly image: string
  readonly env?: Readonly<Record<string, string>>
  /** Options of `podman run`. */
  readonly options?: readonly string[]
}

function runArguments({ image, env = {}, options = [] }: ContainerOptions): string[] {
  const variables = Object.entries(env).map(([name, value]) => `--env=${name}=${value}`)
  return ['--network=host', ...LIMITS, ...LOCKED, ...variables, ...options, image]
}

/** Runs a command of the image. Resolves when it has ended. */
export const runInContainer = (options: ContainerOptions, ...command: string[]): Promise<Result> =>
  run('podman', ['run', '--rm', '--no-healthcheck', ...runArguments(options), ...command])

export interface Container extends AsyncDisposable {
  /** The process id on this machine, outside the container. */
  readonly pid: number
  /** Runs another process in the container. */
  exec(...command: string[]): Promise<Result>
  /** Runs the HEALTHCHECK of the image, as an engine does. */
  healthcheck(): Promise<Result>
  /** Returns the output of the container so far. */
  output(): Promise<string>
  /** Sends SIGTERM, and SIGKILL after the grace period. Resolves with the exit code. */
  stop(graceSeconds?: number): Promise<number>
}

/** Starts a container. Disposing ends and removes it. */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const id = (await succeed('podman', ['run', '--detach', ...runArguments(options)])).trim()
  const inspect = async (field: string) => (await succeed('podman', ['inspect', '--format', `{{${field}}}`, id])).trim()
  return {
    pid: Number(await inspect('.State.Pid')),
    exec: (...command) => run('podman', ['exec', id, ...command]),
    healthcheck: () => run('podman', ['healthcheck', 'run', id]),
    async output() {
      const { stdout, stderr } = await run('podman', ['logs', id])
      return stdout + stderr
    },
    async stop(graceSeconds = 20) {
      await succeed('podman', ['stop', '--time', String(graceSeconds), id])
      return Number(await inspect('.State.ExitCode'))
    },
    async [Symbol.asyncDispose]() {
      await run('podman', ['rm', '--force', '--time', '0', id])
    },
  }
}
