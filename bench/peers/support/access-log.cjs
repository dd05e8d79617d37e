// The access log of the service, for peers that have no logger of their own.
const { write } = require('node:fs')
const { BASE } = require('./duties.cjs')

const FLUSH_AT = 16 * 1024
const base = JSON.stringify(BASE).slice(1, -1)

/** Returns a function that writes one line for a response that has ended. Lines are buffered for up to 100 ms. */
exports.createAccessLog = function createAccessLog() {
  let lines = ''
  let writing = false

  function flush() {
    if (writing || lines === '') return
    writing = true
    const chunk = lines
    lines = ''
    write(1, chunk, () => {
      writing = false
      if (lines.length >= FLUSH_AT) flush()
    })
  }
  setInterval(flush, 100).unref()

  return function log(id, { method, url }, response, bytes, startedAt, address) {
    const now = new Date()
    lines += `{"level":"info","time":"${now.toISOString()}",${base},"reqId":"${id}","method":"${method}","path":${JSON.stringify(
      url.split('?', 1)[0].slice(0, 1024),
    )},"status":${response.statusCode},"durationMs":${now - startedAt},"bytes":${bytes},"clientAddress":"${address}"${
      response.writableFinished ? ',"msg":"request"' : ',"aborted":true,"msg":"request aborted"'
    }}\n`
    if (lines.length >= FLUSH_AT) flush()
  }
}
