import type { RunningProxy } from '../test/support/deploy/proxy.ts'
import type { Line } from '../test/support/log-fields.ts'

/** A warning or an error that an operator would see. */
export interface Signal {
  /** Time of arrival, in milliseconds of `performance.now()`. */
  readonly at: number
  /** `instance 1`, or `proxy`. A further instance of a part has the next number. */
  readonly source: string
  readonly text: string
}

const POLL_MS = 50

/** A warning of nginx, or a failed check of HAProxy. */
const PROXY_WARNING = /\[(?:warn|error|crit|alert)\] \d+#\d+: (?:\*\d+ )?([^,\n]+)|(Server \S+ is DOWN)/g

/** Collects the warnings and errors in the logs of the instances and of the proxy from now on. */
export function createSignals(logs: readonly (() => readonly Line[])[], proxy: RunningProxy) {
  const list: Signal[] = []
  const read = logs.map((lines) => lines().length)
  let readProxy = proxy.log().length

  function poll(): void {
    const at = performance.now()
    for (const [index, lines] of logs.entries()) {
      const all = lines()
      for (const line of all.slice(read[index])) {
        if (!/^(warn|error|fatal)$/.test(String(line['log.level']))) continue
        const name = line['service.target.name']
        list.push({ at, source: `instance ${index + 1}`, text: `${line['message']}${name ? ` (${name})` : ''}` })
      }
      read[index] = all.length
    }
    const log = proxy.log()
    const text = log.slice(readProxy)
    readProxy = log.length
    for (const [, nginx, haproxy = ''] of text.matchAll(PROXY_WARNING)) {
      list.push({ at, source: 'proxy', text: nginx ?? haproxy })
    }
  }

  const timer = setInterval(poll, POLL_MS)
  return { list, stop: () => clearInterval(timer) }
}
