import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getRawAsset, isSea } from 'node:sea'
import { gzipSync } from 'node:zlib'

/** The last line of dist/server.cjs declares it: the compressed files in Base64. */
declare const pageFiles: undefined | (() => Readonly<Record<string, string>>)

/** Reads a file of swagger-ui-dist, compressed with gzip. */
function read(file: string): Uint8Array {
  if (isSea()) return new Uint8Array(getRawAsset(file))
  if (typeof pageFiles === 'function') return Buffer.from(pageFiles()[file] ?? '', 'base64')
  return gzipSync(readFileSync(createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`)))
}

export const script = read('swagger-ui-bundle.js')
export const style = read('swagger-ui.css')
