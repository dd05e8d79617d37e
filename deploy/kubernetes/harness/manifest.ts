import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js'
import type { ConfigMap, Container, PodSpec, Probe } from 'kubernetes-types/core/v1.js'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import type { Manifest } from './kustomize.ts'

/**
 * The harness divides every time of the manifests by this factor: probes, roll-out, grace period, and the settings in
 * milliseconds. A larger factor would turn the delays of a busy machine into timeouts of probes.
 */
export const SPEED = 4

export interface ProbeTimes {
  readonly path: string
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly timeoutMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
}

/** The data that a kubelet needs to run a pod. */
export interface PodPlan {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly startup: ProbeTimes
  readonly readiness: ProbeTimes
  readonly liveness: ProbeTimes
  readonly graceMs: number
  /** The first native sidecar. */
  readonly sidecar: SidecarPlan | undefined
}

/** A container that runs from before the start of the others until after their end. */
export interface SidecarPlan {
  readonly args: readonly string[]
  readonly preStop: readonly string[]
}

/** The data that the controller of Deployments needs. */
export interface DeploymentPlan {
  readonly replicas: number
  readonly maxSurge: number
  readonly maxUnavailable: number
  readonly minReadyMs: number
  readonly progressDeadlineMs: number
  readonly pod: PodPlan
}

export function find<T = Manifest>(manifests: readonly Manifest[], kind: string): T {
  const found = manifests.filter((manifest) => manifest.kind === kind)
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`)
  return found[0] as T
}

/**
 * Reads the times and settings of a rendered overlay, divided by `SPEED`.
 *
 * @param secrets values of the Secret by key
 */
export function createPlan(manifests: readonly Manifest[], secrets: Readonly<Record<string, string>>): DeploymentPlan {
  const { spec } = find<Deployment>(manifests, 'Deployment')
  const { maxSurge, maxUnavailable } = spec!.strategy!.rollingUpdate!
  const pod = spec!.template.spec!
  const container = pod.containers[0]!
  return {
    replicas: find<HorizontalPodAutoscaler>(manifests, 'HorizontalPodAutoscaler').spec!.minReplicas!,
    maxSurge: Number(maxSurge),
    maxUnavailable: Number(maxUnavailable),
    minReadyMs: scale(spec!.minReadySeconds!),
    progressDeadlineMs: scale(spec!.progressDeadlineSeconds!),
    pod: {
      args: container.args ?? [],
      env: buildEnvironment(pod, container, manifests, secrets),
      startup: readProbeTimes(container.startupProbe!),
      readiness: readProbeTimes(container.readinessProbe!),
      liveness: readProbeTimes(container.livenessProbe!),
      graceMs: scale(pod.terminationGracePeriodSeconds!),
      sidecar: readSidecar(pod),
    },
  }
}

function readSidecar({ initContainers = [] }: PodSpec): SidecarPlan | undefined {
  const sidecar = initContainers.find(({ restartPolicy }) => restartPolicy === 'Always')
  return sidecar && { args: sidecar.args ?? [], preStop: sidecar.lifecycle?.preStop?.exec?.command ?? [] }
}

const scale = (seconds: number) => (seconds * 1_000) / SPEED

/** Applies the defaults of the API. */
function readProbeTimes(probe: Probe): ProbeTimes {
  return {
    path: probe.httpGet!.path!,
    initialDelayMs: scale(probe.initialDelaySeconds ?? 0),
    periodMs: scale(probe.periodSeconds ?? 10),
    timeoutMs: scale(probe.timeoutSeconds ?? 1),
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  }
}

/**
 * Builds the environment of a container from its ConfigMaps and its variables. The Secret becomes a local directory.
 */
export function buildEnvironment(
  pod: PodSpec,
  container: Container,
  manifests: readonly Manifest[],
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const { configMapRef } of container.envFrom ?? []) {
    const { data } = find<ConfigMap>(
      manifests.filter(({ metadata }) => metadata.name === configMapRef!.name),
      'ConfigMap',
    )
    for (const [name, value] of Object.entries(data!)) {
      env[name] = name.endsWith('_MS') ? String(Number(value) / SPEED) : value
    }
  }
  const { name: volume, mountPath } = container.volumeMounts![0]!
  const { items } = pod.volumes!.find(({ name }) => name === volume)!.secret!
  const directory = temporaryDirectory('secrets')
  for (const { key, path } of items ?? Object.keys(secrets).map((key) => ({ key, path: key }))) {
    writeFileSync(join(directory, path), `${secrets[key]}\n`, { mode: 0o440 })
  }
  for (const { name, value = '' } of container.env ?? []) env[name] = value.replace(mountPath, directory)
  return env
}
