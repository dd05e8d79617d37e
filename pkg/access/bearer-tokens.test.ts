import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { exportJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import request from 'supertest'
import { HTTP_PROBLEMS } from '../problem/index.ts'
import { authenticate } from './authenticate.ts'
import { bearerTokens } from './bearer-tokens.ts'
import { type IssuerKeysOptions, issuerKeys } from './issuer-keys.ts'

interface Key {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const ecKey = (): Key => ({ kid: randomUUID(), alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) })
const rsaKey = (): Key => ({ kid: randomUUID(), alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) })
const edKey = (): Key => ({ kid: randomUUID(), alg: 'EdDSA', ...generateKeyPairSync('ed25519') })

const ISSUER = 'https://issuer.example.com/'
const AUDIENCE = 'orders'

const keySet = async (keys: readonly Key[]) => ({
  keys: await Promise.all(
    keys.map(async ({ kid, alg, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })),
  ),
})

/** The issuer. A test changes its keys and its responses. */
let issuer: Server
let keys: Key[]
let downloads: number
let respond: (res: ServerResponse) => unknown
let time: number
beforeEach(async () => {
  keys = [ecKey()]
  downloads = 0
  time = Date.now()
  respond = async (res) => res.end(JSON.stringify(await keySet(keys)))
  issuer = createServer((_req, res) => {
    downloads += 1
    respond(res)
  }).listen(0)
  await once(issuer, 'listening')
})
afterEach(() => {
  issuer.close()
  issuer.closeAllConnections()
})

/** A service that trusts the issuer. */
function service(options: Partial<IssuerKeysOptions> = {}) {
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`
  const issuerKeySet = issuerKeys({ url, timeoutMs: 10_000, now: () => time, ...options })
  const app = express()
  const causes: unknown[] = []
  app.use(authenticate({ verify: bearerTokens({ issuer: ISSUER, audience: AUDIENCE, keys: issuerKeySet }) }))
  app.get('/', (req, res) => void res.json(req.auth))
  app.use(((error, _req, res, _next) => {
    causes.push(error.cause)
    const { status, detail } = HTTP_PROBLEMS[error.code as keyof typeof HTTP_PROBLEMS]
    res.status(status).json({ code: error.code, detail })
  }) as express.ErrorRequestHandler)
  const ask = (token: string) => request(app).get('/').set('authorization', `Bearer ${token}`)
  return { app, ask, causes }
}

const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
const payload = (more: JWTPayload = {}): JWTPayload => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'user-1',
  exp: secondsFromNow(60),
  ...more,
})
const signed = ({ kid, alg, privateKey }: Key, more?: JWTPayload, header: object = {}) =>
  new SignJWT(payload(more)).setProtectedHeader({ alg, kid, ...header }).sign(privateKey)

const currentKey = () => keys[0]!
const signedWith = (header: object) =>
  new SignJWT(payload())
    .setProtectedHeader({ alg: currentKey().alg, kid: currentKey().kid, ...header })
    .sign(currentKey().privateKey, { crit: { x: true } })

describe('a token', () => {
  test.each([
    ['EC', ecKey],
    ['RSA', rsaKey],
    ['Ed25519', edKey],
  ])('of a known %s key identifies the caller', async (_name, make) => {
    keys = [make()]
    const exp = secondsFromNow(60)
    await service()
      .ask(await signed(currentKey(), { exp }))
      .expect(200, { subject: 'user-1', expiresAt: exp, scheme: 'bearer' })
  })

  test('may expire at a fraction of a second, which the expiry of its caller omits', async () => {
    const exp = secondsFromNow(60)
    const { body } = await service()
      .ask(await signed(currentKey(), { exp: exp + 0.5 }))
      .expect(200)
    expect(body.expiresAt).toBe(exp)
  })

  test('may have several audiences, and the case of the scheme is ignored', async () => {
    const { app } = service()
    const token = await signed(currentKey(), { aud: ['others', AUDIENCE] })
    await request(app).get('/').set('authorization', `bEARER  ${token}`).expect(200)
  })

  test('may be a few seconds too early or too late', async () => {
    const { ask } = service()
    await ask(await signed(currentKey(), { exp: secondsFromNow(-2), nbf: secondsFromNow(3) })).expect(200)
  })

  const withSecret = (secret: string | Buffer) =>
    new SignJWT(payload()).setProtectedHeader({ alg: 'HS256', kid: currentKey().kid }).sign(Buffer.from(secret))

  test.each([
    ['another key under a known name', () => signed({ ...ecKey(), kid: currentKey().kid })],
    ['no signature', async () => new UnsecuredJWT(payload()).encode()],
    ['a removed signature', async () => (await signed(currentKey())).replace(/[^.]+$/, '')],
    [
      'the public key as the secret of an HMAC',
      () => withSecret(currentKey().publicKey.export({ type: 'spki', format: 'pem' })),
    ],
    [
      'its own key in the header',
      async () => {
        const { privateKey, publicKey } = ecKey()
        return signed({ ...currentKey(), privateKey }, {}, { jwk: await exportJWK(publicKey) })
      },
    ],
    ['another audience', () => signed(currentKey(), { aud: 'others' })],
    ['no audience', () => signed(currentKey(), { aud: undefined as never })],
    ['another issuer', () => signed(currentKey(), { iss: 'https://issuer.example.com' })],
    ['no expiry', () => signed(currentKey(), { exp: undefined as never })],
    ['an expiry that is not a number', () => signed(currentKey(), { exp: 'never' as never })],
    ['a start in the future', () => signed(currentKey(), { nbf: secondsFromNow(30) })],
    ['no subject', () => signed(currentKey(), { sub: undefined as never })],
    ['an empty subject', () => signed(currentKey(), { sub: '' })],
    ['a subject that is not a string', () => signed(currentKey(), { sub: { admin: true } as never })],
    [
      'a changed payload',
      async () => {
        const [header, , signature] = (await signed(currentKey())).split('.')
        return `${header}.${Buffer.from(JSON.stringify(payload({ sub: 'admin' }))).toString('base64url')}.${signature}`
      },
    ],
    ['an unknown critical extension', () => signedWith({ crit: ['x'], x: 1 })],
    ['a text that is not a token', async () => 'x'],
    ['no characters', async () => ''],
    ['more than 8,192 characters', () => signed(currentKey(), { more: 'x'.repeat(8_000) })],
  ])('with %s is rejected, and the response does not say why', async (_name, make) => {
    const token = await make()
    const { body, headers } = await service().ask(token).expect(401)
    expect(headers['www-authenticate']).toBe('Bearer error="invalid_token"')
    expect(body).toMatchObject({ code: 'invalid_token', detail: 'The bearer token is not valid for this service.' })
  })

  test('that has expired gets its own error code', async () => {
    const { body, headers } = await service()
      .ask(await signed(currentKey(), { exp: secondsFromNow(-30) }))
      .expect(401)
    expect(headers['www-authenticate']).toBe('Bearer error="invalid_token", error_description="expired"')
    expect(body).toMatchObject({ code: 'expired_token' })
  })

  test('of a rejected algorithm causes no download of the keys', async () => {
    const { ask } = service()
    await ask(await withSecret('x'.repeat(32))).expect(401)
    await ask(new UnsecuredJWT(payload()).encode()).expect(401)
    expect(downloads).toBe(0)
  })
})

test.each([undefined, 'Basic dTpw', 'Bearerx'])(
  'with authorization %j a request is rejected with a challenge',
  async (given) => {
    const { headers, body } = await request(service().app)
      .get('/')
      .set(given === undefined ? {} : { authorization: given })
      .expect(401)
    expect(headers['www-authenticate']).toBe('Bearer')
    expect(body).toMatchObject({ code: 'unauthenticated' })
  },
)

describe('the keys of the issuer', () => {
  /** Withdraws the key of a token that the service has accepted. */
  async function withdrawKey() {
    const { ask } = service()
    const before = await signed(currentKey())
    await ask(before).expect(200)
    keys = [ecKey()]
    return { ask, before }
  }

  test('are downloaded once for many tokens', async () => {
    const { ask } = service()
    const token = await signed(currentKey())
    await Promise.all([1, 2, 3, 4].map(() => ask(token).expect(200)))
    await ask(token).expect(200)
    expect(downloads).toBe(1)
  })

  test('may change at any time: a new key works and a withdrawn key is rejected', async () => {
    const { ask, before } = await withdrawKey()
    time += 5_000
    await ask(await signed(currentKey())).expect(200)
    await ask(before).expect(401)
    expect(downloads).toBe(2)
  })

  test('that are withdrawn are rejected even when every token has a known key', async () => {
    const { ask, before } = await withdrawKey()
    time += 600_000
    const refreshed = once(issuer, 'request')
    await ask(before).expect(200)
    await refreshed
    time += 5_000
    await ask(await signed(currentKey())).expect(200)
    await ask(before).expect(401)
  })

  test('that are withdrawn while no request arrives do not verify the next tokens', async () => {
    const { ask, before } = await withdrawKey()
    time += 1_200_000
    await Promise.all([1, 2].map(() => ask(before).expect(401)))
    expect(downloads).toBe(2)
  })

  test('are not downloaded for each token of an unknown key', async () => {
    const { ask } = service()
    await ask(await signed(currentKey())).expect(200)
    time += 5_000
    for (let count = 0; count < 5; count++) await ask(await signed(ecKey())).expect(401)
    expect(downloads).toBe(2)
  })

  const failures: [string, (res: ServerResponse) => unknown][] = [
    ['closes connections', (res) => res.destroy()],
    ['hangs', () => {}],
    ['hangs after half of the body', (res) => res.write('{"keys":[')],
    ['fails', (res) => res.writeHead(500).end('{"keys":[]}')],
    ['redirects', (res) => res.writeHead(302, { location: '/elsewhere' }).end()],
    ['returns a body that is not JSON', (res) => res.end('<html>')],
    ['returns no keys', (res) => res.end('{}')],
    [
      'returns more than 262,144 bytes',
      async (res) => res.end(JSON.stringify(await keySet(keys)) + ' '.repeat(262_144)),
    ],
  ]

  test.each(failures)(
    'when the issuer %s, a token of an unknown key gets 503 promptly and known keys remain valid',
    async (_name, fail) => {
      const { ask, causes } = service({ timeoutMs: 1_000 })
      const succeed = respond
      const token = await signed(currentKey())
      respond = fail
      const { body, headers } = await ask(token).expect(503)
      expect(body).toMatchObject({ code: 'keys_unavailable' })
      expect(headers).not.toHaveProperty('www-authenticate')
      expect(causes).toEqual([expect.anything()])
      // A second download must wait for the cool-down.
      await ask(token).expect(503)
      expect(downloads).toBe(1)

      respond = succeed
      time += 5_000
      await ask(token).expect(200)
      respond = fail
      time += 600_000
      await ask(await signed(ecKey())).expect(503)
      await ask(token).expect(200)
      time += 1_200_000
      await ask(token).expect(200)
    },
  )
})
