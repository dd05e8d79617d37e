import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'

test('a process exits after it has reset a socket that is shutting down', async () => {
  const program = `
    import { connect, createServer } from 'node:net'
    import { reset } from ${JSON.stringify(resolve('test/support/reset.ts'))}
    const server = createServer((socket) => {
      reset(socket.on('error', () => {}).end('last'))
      server.close()
    }).listen(0, '127.0.0.1', () => connect(server.address().port, '127.0.0.1').on('error', () => {}).resume())
    process.on('exit', () => process.stdout.write('exit'))`
  const args = ['--input-type=module', '--eval', program]
  // The time limit ends a process that loops.
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000, killSignal: 'SIGKILL' })
  expect(stdout).toBe('exit')
})
