import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'

/*
 * Only from the sources: scripts/bundle.ts puts the compressed files themselves in the place of this module.
 */
const { resolve } = createRequire(import.meta.url)

const compressed = (file: string): Uint8Array => gzipSync(readFileSync(resolve(`swagger-ui-dist/${file}`)))

export const script = compressed('swagger-ui-bundle.js')
export const style = compressed('swagger-ui.css')
