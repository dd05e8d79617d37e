import { isIPv4, isIPv6 } from 'node:net'

/**
 * Returns the address when it is an IP address, and undefined otherwise. A proxy may forward any text as the address,
 * and an index rejects a line whose `client.ip` is not an IP address. An IPv6 zone is not a part of the address.
 */
export function toIp(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return isIPv4(address) || (!address.includes('%') && isIPv6(address)) ? address : undefined
}
