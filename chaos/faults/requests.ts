/*
 * node chaos/faults/requests.ts COUNT URL [TOKEN] sends GET requests, at most 20 at a time, ignores the responses, and
 * ends after 15 s at the latest.
 */

const [count, url = '', token] = process.argv.slice(2)
const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
const signal = AbortSignal.timeout(15_000)
let left = Number(count)

async function send(): Promise<void> {
  while (left-- > 0 && !signal.aborted) {
    await fetch(url, { headers, signal })
      .then((response) => response.arrayBuffer())
      .catch(() => {})
  }
}

await Promise.all(Array.from({ length: 20 }, send))
