/* A typical server, without a limit of connections. It prints its port. */
import { createServer } from 'node:http'
import { listen } from '../../support/listen.ts'

const server = createServer({ keepAliveTimeout: 75_000 }, (_request, response) => response.end('{"status":"ok"}'))
process.stdout.write(`${(await listen(server)).port}\n`)
