/* node chaos/faults/requests.ts COUNT URL [TOKEN] sends GET requests, at most 20 at a time. Their results do not matter. */

const [count, url = '', token] = process.argv.slice(2)
const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
let left = Number(count)

async function send(): Promise<void> {
  while (left-- > 0) {
    await fetch(url, { headers, signal: AbortSignal.timeout(10_000) })
      .then((response) => response.arrayBuffer())
      .catch(() => {})
  }
}

await Promise.all(Array.from({ length: 20 }, send))
