import { availableParallelism, freemem } from 'node:os'
import { setInterval, setTimeout } from 'node:timers'
import { Worker } from 'node:worker_threads'

/*
 * node chaos/faults/pressure.ts cpu SECONDS     keeps every core busy
 * node chaos/faults/pressure.ts memory SECONDS  holds half of the available memory, at most 4 GiB, and uses all of it
 */

const CHUNK_BYTES = 64 * 1024 ** 2
const MAX_BYTES = 4 * 1024 ** 3

const PRESSURES: Readonly<Record<string, () => void>> = {
  cpu() {
    for (let core = 0; core < availableParallelism(); core++) new Worker('for (;;);', { eval: true })
  },
  memory() {
    const count = Math.floor(Math.min(freemem() / 2, MAX_BYTES) / CHUNK_BYTES)
    const chunks = Array.from({ length: count }, () => Buffer.alloc(CHUNK_BYTES, 1))
    // Write to the pages again and again: the system moves unused pages to the swap.
    setInterval(() => {
      for (const chunk of chunks) chunk.fill(2)
    }, 1_000)
  },
}

const [kind = '', seconds] = process.argv.slice(2)
const start = PRESSURES[kind]
if (start === undefined || !(Number(seconds) > 0)) throw new Error('usage: pressure.ts cpu|memory SECONDS')
setTimeout(() => process.exit(), Number(seconds) * 1_000)
start()
