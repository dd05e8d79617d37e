/*
 * node scripts/executable/code-cache.ts BUNDLE OUTPUT [--stores]
 *
 * Serves from the wrapped bundle on the loopback address until it has answered, and writes down what V8 has
 * compiled by then. With stores their addresses lead nowhere: their drivers are loaded, that is all.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Script } from 'node:vm'
import { freePort, until } from '../services/service.ts'

const [bundle = '', output = '', stores] = process.argv.splice(2)
const port = await freePort()
Object.assign(process.env, {
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  PORT: String(port),
  LOG_LEVEL: 'fatal',
  ...(stores && { DATABASE_URL: 'postgres://127.0.0.1:1/none', REDIS_URL: 'redis://127.0.0.1:1' }),
})

const source = readFileSync(bundle, 'latin1')
const script = new Script(source, { filename: 'server.cjs', lineOffset: -1 })
script.runInThisContext()({}, createRequire(import.meta.url), { exports: {} })

const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status
await until(async () => (await status('/ping')) === 200)
await until(async () => (await status('/health')) === (stores ? 503 : 200))

writeFileSync(output, script.createCachedData())
process.exit(0)
