/*
 * node scripts/executable/code-cache.ts BUNDLE OUTPUT
 *
 * Starts the service from the wrapped bundle, sends a few requests, and writes the code that V8 has compiled by then.
 * The environment has the variables of stub.env, except that this script sets HOST, PORT and ADMIN_PORT.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
import { freePort, until } from '../services/service.ts'

const [bundle = '', output = ''] = process.argv.splice(2)
const port = await freePort()
Object.assign(process.env, { HOST: '127.0.0.1', PORT: String(port), ADMIN_PORT: String(await freePort()) })

const script = new Script(readFileSync(bundle, 'latin1'), { filename: 'server.cjs', lineOffset: -1 })
script.runInThisContext()({}, createRequire(import.meta.url), { exports: {} })

const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status
await until(async () => (await status('/health/live')) === 200, 60_000).catch(() => {
  throw new Error('GET /health/live did not return 200 within 60 s')
})

// These requests only enlarge the code cache, so the build does not depend on their responses.
const hasStores = process.env['DATABASE_URL'] !== undefined
const isWarm = async () =>
  (await status('/health/startup')) === 200 && (await status('/health')) === (hasStores ? 503 : 200)
await until(isWarm).catch(() => {})
await status('/ping')

// V8 rejects a code cache that was made with other flags than those of a start. The service has set this one since.
setFlagsFromString('--allocation-site-pretenuring')
writeFileSync(output, script.createCachedData())
process.exit(0)
