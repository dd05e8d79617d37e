/*
 * Makes stack traces show the TypeScript file and line. The source map is an asset of the
 * executable, or the file beside server.cjs.
 */
import { readFileSync, statSync } from 'node:fs'
import { mapStackTraces } from '#pkg/stack-traces/index.ts'

// The executable runs the bundle as a script with this name, which has no `__filename`.
const isExecutable = typeof __filename === 'undefined'
const file = isExecutable ? 'server.cjs' : __filename

function readMap(): string {
  if (isExecutable) {
    const { getRawAsset } = process.getBuiltinModule('node:sea')
    return Buffer.from(getRawAsset('source-map')).toString('latin1')
  }
  const map = readFileSync(`${file}.map`, 'latin1')
  // A map that an update has left behind would name wrong lines.
  if (JSON.parse(map).x_bytes !== statSync(file).size) throw new Error('the map of another build')
  return map
}

mapStackTraces({ file, readMap })
