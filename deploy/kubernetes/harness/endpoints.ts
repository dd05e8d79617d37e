import type { Pod } from './pod.ts'

export interface Endpoints {
  /** Records whether a pod is ready. */
  update(pod: Pod): void
  /** Returns the ports that the proxies know. */
  present(): readonly number[]
  /** Picks a port at random, like a Service. */
  pick(): number | undefined
}

/** Creates the endpoints of a Service as the proxies know them, `lagMs` late. */
export function createEndpoints(lagMs: number): Endpoints {
  const known = new Set<number>()
  return {
    update(pod) {
      const ready = pod.ready()
      setTimeout(() => {
        const port = pod.port()!
        if (ready) known.add(port)
        else known.delete(port)
      }, lagMs)
    },
    present: () => [...known],
    pick() {
      const ports = [...known]
      return ports[Math.floor(Math.random() * ports.length)]
    },
  }
}
