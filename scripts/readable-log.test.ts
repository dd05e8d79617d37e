import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from '@jest/globals'
import { createLogger, type Logger } from '#pkg/logging/index.ts'
import { createReadableLog } from './readable-log.ts'

/** Logs with the logger of the service, and returns the readable lines without colours. */
async function render(log: (logger: Logger) => void, raw = ''): Promise<string> {
  const output = new PassThrough()
  const readable = createReadableLog(output)
  const base = { 'service.name': 'x', 'service.version': '1', 'process.pid': 1 }
  log(createLogger({ level: 'debug', base, destination: { write: (line) => void readable.write(line) } }))
  readable.end(raw)
  const escapeCharacter = String.fromCharCode(27)
  return (await text(output)).replaceAll(new RegExp(`${escapeCharacter}\\[\\d+m`, 'g'), '')
}

test('a request is one line with its time, level, method, path, status, duration and id', async () => {
  const shown = await render((logger) =>
    logger.info(
      {
        'http.request.id': 'r-1',
        'http.request.method': 'GET',
        'url.path': '/ping',
        'http.response.status_code': 200,
        'http.response.body.bytes': 18,
        'event.duration': 1_840_000,
        'client.address': '127.0.0.1',
        'client.ip': '127.0.0.1',
      },
      'request',
    ),
  )
  expect(shown).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: request GET \/ping 200 1\.8 ms \{.*\}\n$/)
  expect(JSON.parse(/\{.*\}/.exec(shown)?.[0] ?? '')).toEqual({
    'http.request.id': 'r-1',
    'http.response.body.bytes': 18,
    'client.address': '127.0.0.1',
  })
})

test('an event has its own fields', async () => {
  const fields = { 'event.action': 'check-failed', 'service.target.name': 'redis', 'event.reason': 'refused' }
  const shown = await render((logger) => logger.warn(fields, 'check failed'))
  expect(shown).toMatch(/\] WARN: check failed \{"service\.target\.name":"redis","event\.reason":"refused"\}\n$/)
})

test('an error shows its message, its code, and its stack in separate lines', async () => {
  const err = Object.assign(new Error('bad', { cause: new Error('worse') }), { code: 'E_BAD' })
  const shown = await render((logger) => logger.error({ err }, 'failed'))
  expect(shown).toMatch(/\] ERROR: failed \{"error\.message":"bad","error\.code":"E_BAD"\}\n/)
  expect(shown).toMatch(/^ +error\.stack_trace: Error: bad\n +at .*readable-log\.test\.ts/m)
  expect(shown).toMatch(/^ +caused by: Error: worse\n +at /m)
})

test('each level has its name', async () => {
  const shown = await render((logger) => {
    for (const level of ['debug', 'info', 'warn', 'error', 'fatal'] as const) logger[level]('x')
  })
  expect(shown.match(/(?<=\] )\w+/g)).toEqual(['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'])
})

test('other output passes through, and control characters do not reach the terminal', async () => {
  const bell = String.fromCharCode(7)
  const shown = await render((logger) => logger.info({ err: new Error(`ring ${bell}`) }, `ring ${bell}`), 'plain\n')
  expect(shown).toMatch(/^plain$/m)
  expect(shown).not.toContain(bell)
})
