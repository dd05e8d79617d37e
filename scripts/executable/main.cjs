/*
 * Entry point of the executable. Runs the bundle with the code cache that code-cache.ts created.
 * Node's own `useCodeCache` knows only what is compiled before the first line runs; this one has
 * every function that a start and a first request need: with the drivers of the stores, where one is configured, and
 * without them, which is half as much to read.
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
  // Of another version or processor, V8 refuses it and compiles as usual.
  cachedData: getAssetKeys().includes(codeCache) ? asset(codeCache) : undefined,
})
script.runInThisContext()(exports, require, module)
