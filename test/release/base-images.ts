import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run, succeed } from '../support/run.ts'

/** Any version that runs on the pinned Node works. */
const NPM = '11.19.1'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

export interface BaseImagesOptions {
  /** The working directory. It is emptied first. */
  readonly directory: string
}

/**
 * Builds stand-ins for the two base images of the Dockerfile from Debian packages, for machines that cannot pull an
 * image. The engine's store keeps them. Like the real images, they lack libatomic, so the Dockerfile must add it.
 */
export async function localBaseImages({ directory }: BaseImagesOptions): Promise<{ build: string; runtime: string }> {
  const [build, runtime] = await Promise.all([
    baseImage(join(directory, 'build'), buildBase()),
    baseImage(join(directory, 'runtime'), runtimeBase()),
  ])
  return { build, runtime }
}

interface Recipe {
  readonly name: string
  /** Arguments of mmdebstrap, which select the Debian packages. */
  readonly debian: readonly string[]
  /** Lines of the Containerfile after the files. */
  readonly instructions: readonly string[]
  /** Inputs of the image in addition to this recipe. */
  readonly versions: readonly string[]
  /** Writes additional files under `root`. */
  addFiles(root: string): Promise<void>
}

async function baseImage(directory: string, recipe: Recipe): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(recipe) + recipe.addFiles)
  const image = `localhost/release-test-${recipe.name}:${key.digest('hex').slice(0, 12)}`
  if ((await run('buildah', ['inspect', '--type=image', image])).code === 0) return image

  rmSync(directory, { recursive: true, force: true })
  const files = join(directory, 'files')
  mkdirSync(files, { recursive: true })
  // Only root can unpack devices, and the engine creates them.
  await succeed('mmdebstrap', [...recipe.debian, '--skip=output/dev', 'bookworm', join(directory, 'debian.tar')])
  await recipe.addFiles(files)
  const containerfile = ['FROM scratch', 'ADD debian.tar /', 'COPY files /', ...recipe.instructions]
  writeFileSync(join(directory, 'Containerfile'), `${containerfile.join('\n')}\n`)
  await succeed('buildah', ['build', '--tag', image, '--file', join(directory, 'Containerfile'), directory])
  rmSync(directory, { recursive: true })
  return image
}

/** Debian with apt, and with Node and npm at the paths of the official image. */
function buildBase(): Recipe {
  const home = dirname(dirname(realpathSync('.toolchain/bin/node')))
  const certificates = [process.env['NODE_EXTRA_CA_CERTS'], CERTIFICATES].find((path) => path && existsSync(path))
  return {
    name: 'node',
    debian: ['--variant=apt'],
    instructions: [`ENV PATH=${PATH}`, ...(certificates ? [`ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`] : [])],
    versions: [process.version, NPM, certificates ? readFileSync(certificates, 'utf8') : ''],
    async addFiles(root) {
      const local = join(root, 'usr/local')
      const modules = join(local, 'lib/node_modules')
      for (const path of [join(local, 'bin'), join(local, 'etc'), modules]) mkdirSync(path, { recursive: true })
      cpSync(join(home, 'bin/node'), join(local, 'bin/node'))
      if (existsSync(join(home, 'LICENSE'))) cpSync(join(home, 'LICENSE'), join(local, 'LICENSE'))
      await succeed('npm', ['pack', '--silent', `npm@${NPM}`, '--pack-destination', modules])
      await succeed('tar', ['-xzf', `npm-${NPM}.tgz`, '--transform=s/^package/npm/'], { cwd: modules })
      rmSync(join(modules, `npm-${NPM}.tgz`))
      symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'))
      // The build uses the registry of this machine.
      const registry = (await succeed('npm', ['config', 'get', 'registry'])).trim()
      writeFileSync(join(local, 'etc/npmrc'), `registry=${registry}\n`)
      if (certificates) {
        mkdirSync(dirname(join(root, CERTIFICATES)), { recursive: true })
        cpSync(certificates, join(root, CERTIFICATES))
      }
    },
  }
}

/** The C++ library and its dependencies, unpacked without installation, and the two users of distroless. */
function runtimeBase(): Recipe {
  return {
    name: 'distroless',
    debian: ['--variant=extract', '--include=libstdc++6'],
    instructions: [`ENV PATH=${PATH}`],
    versions: [],
    async addFiles(root) {
      mkdirSync(join(root, 'etc'))
      writeFileSync(
        join(root, 'etc/passwd'),
        'root:x:0:0::/root:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n',
      )
      writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
    },
  }
}
