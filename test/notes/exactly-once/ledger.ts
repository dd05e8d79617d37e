/** Records the writes that the service has acknowledged to its clients. */
export interface Ledger {
  /** Notes with one writer, by id. Absent notes were deleted. */
  readonly notes: Map<string, ExpectedNote>
  readonly deleted: Set<string>
  /** Changes of notes with many writers, by id. */
  readonly shared: Map<string, SharedNote>
  readonly counts: Counts
  /** Violations of the guarantees. */
  readonly violations: string[]
}

export interface ExpectedNote {
  readonly title: string
  readonly version: number
  readonly text: string
}

export interface SharedNote {
  /** The versions that an acknowledged update has made. */
  readonly acknowledged: number[]
  /** Updates without a response, which may have happened. */
  unknown: number
}

export interface Counts {
  created: number
  updated: number
  deleted: number
  read: number
  /** Creates that were repeated after a response, to compare the second response with the first. */
  replayed: number
  /** Requests that were sent again because the earlier attempt had no response or a 503. */
  retried: number
  /** Retries of a create that got the response of an earlier attempt. */
  recovered: number
  /** Attempts by status, 0 for those without a response. */
  readonly attempts: Record<number, number>
}

export const createLedger = (): Ledger => ({
  notes: new Map(),
  deleted: new Set(),
  shared: new Map(),
  counts: { created: 0, updated: 0, deleted: 0, read: 0, replayed: 0, retried: 0, recovered: 0, attempts: {} },
  violations: [],
})

export interface Row {
  readonly id: string
  readonly title: string
  readonly version: number
  readonly text: string
}

/** Compares the rows of the table with the ledger. Returns one line for each difference. */
export function audit({ notes, deleted, shared }: Ledger, rows: readonly Row[]): string[] {
  const stored = new Map(rows.map((row) => [row.id, row]))
  const problems: string[] = []
  for (const [id, { title, version, text }] of notes) {
    const row = stored.get(id)
    if (row === undefined) problems.push(`lost: note ${id} of key ${title}`)
    else if (row.version !== version || row.text !== text) {
      problems.push(`lost update: note ${id} has version ${row.version} (${row.text}), expected ${version} (${text})`)
    }
  }
  for (const id of deleted) if (stored.has(id)) problems.push(`came back: note ${id} was deleted`)
  for (const { id, title } of rows) {
    const isKnown = notes.has(id) || deleted.has(id) || shared.has(id)
    if (!isKnown) problems.push(`created twice: key ${title} has made note ${id} too`)
  }
  for (const [id, { acknowledged, unknown }] of shared) {
    const { version = 0, text = '' } = stored.get(id) ?? {}
    const updates = version - 1
    // Each update adds one to the number that it has read.
    if (Number(text) !== updates) problems.push(`lost update: note ${id} counts ${text} of ${updates} updates`)
    if (new Set(acknowledged).size !== acknowledged.length) problems.push(`two updates made one version of note ${id}`)
    if (Math.max(1, ...acknowledged) > version) problems.push(`lost update: note ${id} ends at version ${version}`)
    if (updates < acknowledged.length || updates > acknowledged.length + unknown) {
      problems.push(`note ${id}: ${updates} updates, ${acknowledged.length} acknowledged, ${unknown} unknown`)
    }
  }
  return problems
}
