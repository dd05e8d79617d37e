import { canonicalAddress, type Endpoint, integerWeights, toKey } from './endpoints.ts'

/** A server of the backend that `server-template` has prepared. */
export interface Slot {
  readonly name: string
  /** `host:port`, as `toKey` returns it. Empty when the server has no valid address. */
  readonly key: string
  readonly state: 'ready' | 'drain' | 'maint'
  readonly weight: number
}

/** Bits of `srv_admin_state`: forced maintenance and forced drain, which `set server … state` sets. */
const MAINT = 0x01
const DRAIN = 0x08

/** Parses the response of `show servers state <backend>`. @throws when it is an error message */
export function parseSlots(response: string, prefix: string): Slot[] {
  const lines = response.split('\n').map((line) => line.trim())
  const header = lines.find((line) => line.startsWith('# '))
  if (header === undefined) throw new Error(lines.find((line) => line !== '') ?? 'empty response')
  const columns = header.slice(2).split(' ')
  const at = (row: readonly string[], column: string) => row[columns.indexOf(column)] ?? ''
  return lines
    .slice(lines.indexOf(header) + 1)
    .map((line) => line.split(' '))
    .filter((row) => at(row, 'srv_name').startsWith(prefix))
    .map((row) => {
      const bits = Number(at(row, 'srv_admin_state'))
      const host = canonicalAddress(at(row, 'srv_addr'))
      return {
        name: at(row, 'srv_name'),
        key: host === undefined ? '' : toKey({ host, port: Number(at(row, 'srv_port')), weight: 1 }),
        state: bits & MAINT ? 'maint' : bits & DRAIN ? 'drain' : 'ready',
        weight: Number(at(row, 'srv_uweight')),
      }
    })
}

export interface Plan {
  /** Commands in order. Empty when the slots already have the endpoints. */
  readonly commands: readonly string[]
  /** Endpoints without a slot. */
  readonly excess: readonly string[]
}

/**
 * Returns the commands that give each endpoint a slot. An endpoint keeps its slot. Additions to free slots come before
 * removals, so a replacement of instances does not reduce the number of servers while free slots are left. A slot gets
 * a new address only while it is in maintenance.
 */
export function planSlots(backend: string, slots: readonly Slot[], endpoints: readonly Endpoint[]): Plan {
  const weights = integerWeights(endpoints)
  const wanted = new Map(endpoints.map((endpoint, i) => [toKey(endpoint), { ...endpoint, weight: weights[i] ?? 1 }]))
  const server = (slot: Slot) => `set server ${backend}/${slot.name}`
  const commands: string[] = []
  const free: Slot[] = []
  const released: Slot[] = []

  function enable(slot: Slot, { weight }: Endpoint): void {
    const state = weight === 0 ? 'drain' : 'ready'
    if (weight > 0 && slot.weight !== weight) commands.push(`${server(slot)} weight ${weight}`)
    if (slot.state !== state) commands.push(`${server(slot)} state ${state}`)
  }

  function assign(slot: Slot, endpoint: Endpoint): void {
    commands.push(`${server(slot)} addr ${endpoint.host} port ${endpoint.port}`)
    enable({ ...slot, state: 'maint' }, endpoint)
  }

  // Slots in use come first: a slot in maintenance may still have the address of an instance that has returned.
  for (const slot of [...slots].sort((a, b) => Number(a.state === 'maint') - Number(b.state === 'maint'))) {
    const endpoint = wanted.get(slot.key)
    if (endpoint !== undefined) {
      wanted.delete(slot.key)
      enable(slot, endpoint)
    } else if (slot.state === 'maint') free.push(slot)
    else released.push(slot)
  }
  const added = [...wanted.values()]
  for (const slot of free) {
    const endpoint = added.shift()
    if (endpoint === undefined) break
    assign(slot, endpoint)
  }
  for (const slot of released) commands.push(`${server(slot)} state maint`)
  for (const slot of released) {
    const endpoint = added.shift()
    if (endpoint === undefined) break
    assign(slot, endpoint)
  }
  return { commands, excess: added.map(toKey) }
}
