/*
 * What the executable runs: the bundle, compiled with the code cache that code-cache.ts made of it.
 * Node's own `useCodeCache` knows only what is compiled before the first line runs; this one has
 * every function that a start and a first request need.
 */
const { getAssetKeys, getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

const asset = (name) => Buffer.from(getRawAsset(name))

const script = new Script(asset('bundle').latin1Slice(), {
  filename: 'server.cjs',
  // The wrapper has a line of its own, so that positions in stack traces are those of dist/server.cjs.
  lineOffset: -1,
  // Of another version or processor, V8 refuses it and compiles as usual.
  cachedData: getAssetKeys().includes('code-cache') ? asset('code-cache') : undefined,
})
script.runInThisContext()(exports, require, module)
