import { setTimeout } from 'node:timers/promises'
import { freePort } from '../../../scripts/services/service.ts'
import { type ContainerProcess, type Ended, startContainer } from './container.ts'
import { type PodPlan, SPEED } from './manifest.ts'
import { watch } from './probe.ts'
import { type Sidecar, startSidecar } from './sidecar.ts'

export interface Pod {
  readonly plan: PodPlan
  /** Undefined before the process first listens. */
  port(): number | undefined
  pid(): number
  /** Ready in the sense of endpoints: the readiness probe succeeds, and the pod is not terminating. */
  ready(): boolean
  readySince(): number
  restarts(): number
  /** Resolves with the end of the process. */
  terminate(): Promise<Ended>
}

export interface PodOptions {
  readonly plan: PodPlan
  /** Called when the readiness changes. */
  onChange(pod: Pod): void
}

/** The delay before a kubelet restarts a container for the first time. */
const BACKOFF_MS = 10_000 / SPEED

/** Acts as the kubelet of a pod with one container: starts, probes, restarts and stops the container. */
export function startPod({ plan, onChange }: PodOptions): Pod {
  const { args, env, startup, readiness, liveness, graceMs } = plan
  const terminating = new AbortController()
  let container: ContainerProcess | undefined
  let sidecar: Sidecar | undefined
  let port: number | undefined
  let ready = false
  let readySince = Number.POSITIVE_INFINITY
  let restarts = 0

  function setReady(value: boolean): void {
    if (ready === value) return
    ready = value
    readySince = value ? performance.now() : Number.POSITIVE_INFINITY
    onChange(pod)
  }

  /** Readiness and liveness probes begin after the first success of the startup probe. */
  function probe(port: number, signal: AbortSignal): void {
    const restart = () => container?.stop(graceMs)
    const started = new AbortController()
    const starting = AbortSignal.any([signal, started.signal])
    void watch({
      times: startup,
      port,
      signal: starting,
      onThreshold(ok) {
        if (!ok) return restart()
        started.abort()
        void watch({ times: readiness, port, signal, onThreshold: setReady })
        void watch({ times: liveness, port, signal, onThreshold: (alive) => alive || restart() })
      },
    })
  }

  async function run(): Promise<Ended> {
    if (plan.sidecar !== undefined) {
      port = await freePort()
      sidecar = await startSidecar(plan.sidecar, port)
    }
    try {
      return await runContainer()
    } finally {
      // The kubelet ends a sidecar when the containers have ended.
      await sidecar?.stop()
    }
  }

  async function runContainer(): Promise<Ended> {
    for (;;) {
      // A pod keeps its address when its container restarts.
      container = startContainer(args, port === undefined ? env : { ...env, PORT: String(port) })
      const { ended } = container
      port = (await container.port) ?? port
      const probing = new AbortController()
      if (port !== undefined) probe(port, AbortSignal.any([probing.signal, terminating.signal]))
      const end = await ended
      probing.abort()
      setReady(false)
      if (terminating.signal.aborted) return end
      restarts++
      await setTimeout(BACKOFF_MS, undefined, { signal: terminating.signal }).catch(() => {})
      if (terminating.signal.aborted) return end
    }
  }

  const ended = run()
  const pod: Pod = {
    plan,
    port: () => sidecar?.port ?? port,
    pid: () => container!.pid,
    ready: () => ready,
    readySince: () => readySince,
    restarts: () => restarts,
    terminate() {
      terminating.abort()
      // Kubernetes stops the container, runs the hook and removes the endpoint at the same time, and waits for none. On
      // a busy machine the hook would start after the shortened drain delay, so the container waits for the hook here.
      void Promise.resolve(sidecar?.preStop()).finally(() => container?.stop(graceMs))
      setReady(false)
      return ended
    },
  }
  return pod
}
