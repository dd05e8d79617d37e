import { existsSync } from 'node:fs'
import { findOnPath } from '../scripts/services/path.ts'
import { succeed } from '../test/support/run.ts'

/** Debian's golang-*-dev packages install their sources here. */
const GOPATH = '/usr/share/gocode'

/** Builds the peer in Go. Resolves with false when Go or Debian's golang-github-gin-gonic-gin-dev is not installed. */
export async function buildGin(outfile: string): Promise<boolean> {
  const go = findOnPath('go')
  if (go === undefined || !existsSync(`${GOPATH}/src/github.com/gin-gonic/gin`)) return false
  await succeed(go, ['build', '-o', outfile, './bench/peers/gin'], { env: { GO111MODULE: 'off', GOPATH } })
  return true
}
