import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ExpectedNote, Ledger, SharedNote } from './ledger.ts'

export interface Sent {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
}

interface Answer {
  readonly status: number
  readonly body: { readonly [name: string]: unknown }
  /** An earlier attempt has no known outcome. */
  readonly isRetry: boolean
  /** Time when the attempt began, in milliseconds since 1970. */
  readonly sentAt: number
}

export interface ClientDeps {
  readonly ledger: Ledger
  /** The instances. Each attempt goes to one of them at random. */
  readonly urls: readonly string[]
  readonly phase: Readonly<Phase>
}

export interface Phase {
  /** Clients begin no further note. */
  isEnding: boolean
  /** Clients send no further attempt. */
  isAborted: boolean
}

/** Longer than the service needs to give up a query, so that a service that hangs is noticed. */
const ATTEMPT_TIMEOUT_MS = 10_000

/** A client of the notes that sends a request again until the outcome is known, as a careful program would. */
export function createClient({ ledger, urls, phase }: ClientDeps) {
  const { counts, violations } = ledger
  const violated = (text: string) => void violations.push(text)

  /** Sends a request once. Resolves with undefined when its outcome is unknown. */
  async function attempt({ method, path, headers, body }: Sent): Promise<Pick<Answer, 'status' | 'body'> | undefined> {
    let status = 0
    try {
      const response = await fetch(`${urls[randomInt(urls.length)]}${path}`, {
        method,
        headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
      })
      const text = await response.text()
      status = response.status
      const content = text === '' ? {} : JSON.parse(text)
      const isInProgress = content.code === 'idempotency_conflict'
      if (status === 500) violated(`500 for ${method} ${path}: ${text}`)
      return status >= 500 || isInProgress ? undefined : { status, body: content }
    } catch {
      return undefined
    } finally {
      counts.attempts[status] = (counts.attempts[status] ?? 0) + 1
    }
  }

  async function persist(sent: Sent): Promise<Answer> {
    for (let isRetry = false; ; isRetry = true) {
      const sentAt = Date.now()
      const response = await attempt(sent)
      if (response !== undefined) return { ...response, isRetry, sentAt }
      if (phase.isAborted) throw new Error('the campaign was aborted')
      counts.retried += 1
      await setTimeout(randomInt(10, 100))
    }
  }

  const isAsExpected = ({ status, body }: Answer, { title, version, text }: ExpectedNote) =>
    status === 200 && body['title'] === title && body['version'] === version && body['text'] === text

  /** Reads a note that only this client writes. */
  async function read(path: string, expected: ExpectedNote): Promise<Answer> {
    const response = await persist({ method: 'GET', path })
    counts.read += 1
    if (!isAsExpected(response, expected)) violated(`stale read: ${JSON.stringify({ expected, response })}`)
    return response
  }

  async function update(id: string): Promise<void> {
    const before = ledger.notes.get(id)!
    const after = { ...before, version: before.version + 1, text: randomUUID() }
    const path = `/v1/notes/${id}`
    const headers = { 'if-match': `"${before.version}"` }
    const response = await persist({ method: 'PATCH', path, headers, body: { text: after.text } })
    ledger.notes.set(id, after)
    counts.updated += 1
    // The version has changed: an earlier attempt may have done it.
    if (response.status === 412 && response.isRetry) await read(path, after)
    else if (!isAsExpected(response, after)) violated(`failed update: ${JSON.stringify({ after, response })}`)
  }

  async function remove(id: string): Promise<void> {
    const { version } = ledger.notes.get(id)!
    const headers = { 'if-match': `"${version}"` }
    const { status, isRetry } = await persist({ method: 'DELETE', path: `/v1/notes/${id}`, headers })
    ledger.notes.delete(id)
    ledger.deleted.add(id)
    counts.deleted += 1
    if (status !== 204 && !(status === 404 && isRetry)) violated(`failed delete: note ${id} is a ${status}`)
  }

  /** One note from its creation to its end. */
  async function own(): Promise<void> {
    const key = randomUUID()
    const create: Sent = {
      method: 'POST',
      path: '/v1/notes',
      headers: { 'idempotency-key': key },
      body: { title: key, text: 'new' },
    }
    const created = await persist(create)
    const { id, title } = created.body
    if (created.status !== 201 || title !== key || typeof id !== 'string') {
      return violated(`failed create: ${JSON.stringify({ key, created })}`)
    }
    counts.created += 1
    if (Date.parse(String(created.body['createdAt'])) < created.sentAt) counts.recovered += 1
    ledger.notes.set(id, { title: key, version: 1, text: 'new' })
    for (let updates = randomInt(4); updates > 0; updates--) await update(id)
    await read(`/v1/notes/${id}`, ledger.notes.get(id)!)
    if (randomInt(2) === 0) await remove(id)
    if (randomInt(2) === 0) {
      const again = await persist(create)
      counts.replayed += 1
      if (!isDeepStrictEqual(again.body, created.body))
        violated(`other response: ${JSON.stringify({ created, again })}`)
    }
  }

  /** Adds one to a number that all clients write. */
  async function increment(id: string, note: SharedNote): Promise<void> {
    const path = `/v1/notes/${id}`
    const { body } = await persist({ method: 'GET', path })
    const headers = { 'if-match': `"${body['version']}"` }
    const response = await attempt({ method: 'PATCH', path, headers, body: { text: String(Number(body['text']) + 1) } })
    if (response === undefined) note.unknown += 1
    else if (response.status === 200) note.acknowledged.push(Number(response.body['version']))
    else if (response.status !== 412) violated(`failed increment: ${JSON.stringify(response)}`)
  }

  return async function run(): Promise<void> {
    while (!phase.isEnding) {
      await own()
      const [id, note] = [...ledger.shared][randomInt(ledger.shared.size)]!
      await increment(id, note)
    }
  }
}
