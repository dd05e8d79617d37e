import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createSecureContext, createServer } from 'node:tls'
import { listen } from '../../test/support/listen.ts'

export interface Certificates {
  /** Path of the certificate of the authority. */
  readonly authority: string
  readonly valid: string
  /** Path of a certificate that expired yesterday. */
  readonly expired: string
  /** Path of the certificate in use. A fault replaces the file. */
  readonly current: string
  readonly key: string
}

/** Issues certificates of `localhost` with openssl. */
export function issueCertificates(directory: string): Certificates {
  const path = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' })
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj']
  openssl(...request, '/CN=authority', '-x509', '-days', '2', '-keyout', 'authority.key', '-out', 'authority.pem')
  openssl(...request, '/CN=localhost', '-keyout', 'key.pem', '-out', 'request.pem')
  writeFileSync(path('names'), 'subjectAltName=DNS:localhost')
  const authority = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-extfile', 'names']
  for (const [name, days] of [
    ['valid.pem', '2'],
    ['expired.pem', '-1'],
  ] as const) {
    openssl('x509', '-req', '-in', 'request.pem', ...authority, '-days', days, '-out', name)
  }
  copyFileSync(path('valid.pem'), path('current.pem'))
  return {
    authority: path('authority.pem'),
    valid: path('valid.pem'),
    expired: path('expired.pem'),
    current: path('current.pem'),
    key: path('key.pem'),
  }
}

/** Terminates TLS in front of a local port. Each connection gets the current certificate. */
export async function startTls({ current, key }: Certificates, port: number) {
  const context = () => createSecureContext({ cert: readFileSync(current), key: readFileSync(key) })
  const server = createServer({ SNICallback: (_name, done) => done(null, context()) }, (client) => {
    const upstream = connect(port, '127.0.0.1')
    const close = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', close).on('close', close)
    client.pipe(upstream).pipe(client)
  })
  const own = await listen(server)
  return { url: `https://localhost:${own.port}`, stop: () => void server.close() }
}
