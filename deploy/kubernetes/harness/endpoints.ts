import type { Pod } from './pod.ts'

export interface Endpoints {
  /** A pod became ready, or is not any more, or is gone. */
  update(pod: Pod): void
  /** The ports to which proxies send now. */
  present(): readonly number[]
  /** One of them at random, as a Service does it. */
  pick(): number | undefined
}

/** The endpoints of a Service as proxies know them: what they know is `lagMs` old. */
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
