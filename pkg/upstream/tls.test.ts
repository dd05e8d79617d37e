import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { client, closeAll, closeLater, GET } from './fakes.ts'
import type { Source } from './resolve.ts'

/* Instances with a certificate for `search.shop`, which the client finds by DNS. */

const trusted = getCACertificates('default')
let key: Buffer
let cert: Buffer

beforeAll(() => {
  const path = (name: string) => join(tmpdir(), `upstream-${process.pid}-${name}.pem`)
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=DNS:search.shop']
  const files = ['-keyout', path('key'), '-out', path('cert')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], { stdio: 'ignore' })
  ;[key, cert] = [readFileSync(path('key')), readFileSync(path('cert'))]
  setDefaultCACertificates([cert.toString()])
})
afterAll(() => setDefaultCACertificates(trusted))
afterEach(closeAll)

/** Starts an instance that responds with the name in its TLS handshake and with its `host` header. */
async function secureInstance(): Promise<number> {
  const server = createServer({ key, cert }, (req, res) => {
    res.end(`${(req.socket as TLSSocket & { servername: string }).servername} ${req.headers.host}`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closeLater({
    close() {
      server.close()
      server.closeAllConnections()
    },
  })
  return (server.address() as AddressInfo).port
}

const resolver = (port: number) => ({
  addresses: async () => ['127.0.0.1'],
  services: async () => [{ name: '127.0.0.1', port, priority: 1, weight: 1 }],
})

const SOURCES: readonly [string, (port: number, name: string) => Source][] = [
  ['dns+https', (port, host) => ({ type: 'dns', host, port, protocol: 'https:' })],
  ['srv+https', (_port, name) => ({ type: 'srv', name: `_https._tcp.${name}`, protocol: 'https:' })],
]

test.each(SOURCES)('an instance found by %s proves the configured name, not its address', async (_scheme, source) => {
  const port = await secureInstance()
  const { request, report } = await client([], { source: source(port, 'search.shop'), resolver: resolver(port) })
  expect((await request(GET)).body.toString()).toBe(`search.shop search.shop:${port}`)
  expect(report().instances).toMatchObject([{ origin: `https://127.0.0.1:${port}` }])
})

test.each(SOURCES)(
  'an instance found by %s with the certificate of another name gets no request',
  async (_scheme, source) => {
    const port = await secureInstance()
    const { request, attempts } = await client([], { source: source(port, 'mail.shop'), resolver: resolver(port) })
    const error = await request(GET).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'upstream_unavailable' })
    expect(attempts.map(({ errorType }) => errorType)).toContain('refused')
    expect(attempts.map(({ status }) => status)).not.toContain(200)
    expect(findCauses(error)).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  },
)

function findCauses(error: unknown): unknown[] {
  const { code, cause } = (error ?? {}) as NodeJS.ErrnoException
  return error === undefined ? [] : [code, ...findCauses(cause)]
}
