import { isIPv4, isIPv6 } from 'node:net'

/** Longest address in the log, in characters. The longest IPv6 address has 45, and a zone may follow. */
const MAX_ADDRESS = 64

/** Shortens the address of a client, because a proxy may forward any text as the address. */
export const limitAddress = (address: string | undefined) => address?.slice(0, MAX_ADDRESS)

/**
 * Returns the address when it is an IP address, and undefined otherwise. A proxy may forward any text as the address,
 * and an index rejects a line whose `client.ip` is not an IP address. An IPv6 zone is not a part of the address.
 */
export function toIp(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return isIPv4(address) || (!address.includes('%') && isIPv6(address)) ? address : undefined
}
