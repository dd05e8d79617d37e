import type { Ended } from './container.ts'
import { createEndpoints, type Endpoints } from './endpoints.ts'
import { type DeploymentPlan, type PodPlan, SPEED } from './manifest.ts'
import { type Pod, startPod } from './pod.ts'

/** The delay until the last proxy of a busy cluster learns of a change. */
const PROXY_LAG_MS = 3_000 / SPEED

/** Disposing terminates all pods. */
export interface Cluster extends AsyncDisposable {
  readonly endpoints: Endpoints
  pods(): readonly Pod[]
  /**
   * Replaces the pods with pods of this plan, step by step. Resolves when all pods are new and available, or when the
   * progress deadline has passed, like `kubectl rollout status`.
   */
  rollOut(pod: PodPlan): Promise<'complete' | 'no progress'>
  /** Resolves with the exit of each terminated pod, when all of them have stopped. */
  ends(): Promise<readonly Ended[]>
}

/** Creates the controller of one Deployment and the endpoints of its Service. */
export function createCluster(plan: DeploymentPlan): Cluster {
  const { replicas, maxSurge, maxUnavailable, minReadyMs, progressDeadlineMs } = plan
  const endpoints = createEndpoints(PROXY_LAG_MS)
  const pods = new Set<Pod>()
  const ends: Promise<Ended>[] = []
  let wanted = plan.pod
  let deleted = false
  let progressed = () => {}
  let completed = () => {}

  const isAvailable = (pod: Pod) => performance.now() - pod.readySince() >= minReadyMs

  function add(): void {
    pods.add(
      startPod({
        plan: wanted,
        onChange(pod) {
          endpoints.update(pod)
          // A removed pod reports its change while `remove` runs.
          if (pods.has(pod)) reconcile()
          // A timer may fire a fraction of a millisecond early.
          if (pod.ready()) setTimeout(reconcile, minReadyMs + 1)
        },
      }),
    )
    progressed()
  }

  function remove(pod: Pod): void {
    pods.delete(pod)
    ends.push(pod.terminate())
    progressed()
  }

  function reconcile(): void {
    if (deleted) return
    const old = () => [...pods].filter((pod) => pod.plan !== wanted)
    // Pods that do not serve go first, because their removal costs no capacity.
    for (const pod of old().filter((pod) => !pod.ready())) remove(pod)
    const spare = [...pods].filter(isAvailable).length - (replicas - maxUnavailable)
    for (const pod of old().slice(0, Math.max(0, spare))) remove(pod)
    const missing = replicas - (pods.size - old().length)
    for (let count = Math.min(missing, replicas + maxSurge - pods.size); count > 0; count--) add()
    if (old().length === 0 && [...pods].every(isAvailable)) completed()
  }

  return {
    endpoints,
    pods: () => [...pods],
    rollOut(pod) {
      // Copy the plan, because pods are compared by its identity. A roll-out may change only the image, and the plan is
      // equal then.
      wanted = { ...pod }
      return new Promise((resolve) => {
        let deadline: NodeJS.Timeout
        const finish = (outcome: 'complete' | 'no progress') => {
          clearTimeout(deadline)
          progressed = completed = () => {}
          resolve(outcome)
        }
        progressed = () => {
          clearTimeout(deadline)
          deadline = setTimeout(finish, progressDeadlineMs, 'no progress')
        }
        completed = () => finish('complete')
        progressed()
        reconcile()
      })
    },
    ends: () => Promise.all(ends),
    async [Symbol.asyncDispose]() {
      // Otherwise a pending timer would start the pods again.
      deleted = true
      for (const pod of pods) remove(pod)
      await Promise.all(ends)
    },
  }
}
