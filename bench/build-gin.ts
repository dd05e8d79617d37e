import { existsSync } from 'node:fs'
import { findOnPath } from '../scripts/services/path.ts'
import { succeed } from '../test/support/run.ts'

/** Where Debian's golang-*-dev packages put their sources. */
const GOPATH = '/usr/share/gocode'

/** Builds the peer in Go; resolves with false where Go or Debian's golang-github-gin-gonic-gin-dev is not installed. */
export async function buildGin(outfile: string): Promise<boolean> {
  const go = findOnPath('go')
  if (go === undefined || !existsSync(`${GOPATH}/src/github.com/gin-gonic/gin`)) return false
  await succeed(go, ['build', '-o', outfile, './bench/peers/gin'], { env: { GO111MODULE: 'off', GOPATH } })
  return true
}
