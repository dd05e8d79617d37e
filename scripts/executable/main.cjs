/*
 * Entry point of the executable. Runs the bundle with a code cache of code-cache.ts, which contains every function of a
 * start and a first request. Node's own `useCodeCache` contains only the functions that are compiled before the first
 * line runs. The code cache without the drivers of the stores is half as large as the other code cache.
 */
const { getAssetKeys, getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

const asset = (name) => Buffer.from(getRawAsset(name))

const hasStores = Object.keys(process.env).some((name) => /^(DATABASE|REDIS)_URL/.test(name))
const codeCache = hasStores ? 'code-cache-with-stores' : 'code-cache'

const script = new Script(asset('bundle').latin1Slice(), {
  filename: 'server.cjs',
  // The wrapper has a separate line, so that positions in stack traces are those of dist/server.cjs.
  lineOffset: -1,
  // V8 rejects the code cache of another version or processor and compiles as usual.
  cachedData: getAssetKeys().includes(codeCache) ? asset(codeCache) : undefined,
})
script.runInThisContext()(exports, require, module)
