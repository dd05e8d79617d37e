// The access log of the service, for peers without a logger.
const { write } = require('node:fs')
const { isIP } = require('node:net')
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
    const durationNs = Math.round((performance.now() - startedAt) * 1e6)
    lines += `{"log.level":"info","@timestamp":"${now.toISOString()}",${base},"http.request.id":"${id}","http.request.method":"${method}","url.path":${JSON.stringify(
      url.split('?', 1)[0].slice(0, 1024),
    )},"http.response.status_code":${response.statusCode},"http.response.body.bytes":${bytes},"event.duration":${durationNs},"client.address":"${address}"${
      isIP(address) === 0 ? '' : `,"client.ip":"${address}"`
    }${response.writableFinished ? ',"message":"request"' : ',"event.outcome":"unknown","message":"request aborted"'}}\n`
    if (lines.length >= FLUSH_AT) flush()
  }
}
