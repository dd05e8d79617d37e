import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SearchNode } from './start-search-node.ts'

const FOLDER = 'deploy/logging'

/** Returns the data stream that a pipeline of Logstash writes to. */
export function streamOf(pipeline: 'logs' | 'rejected'): string {
  const [, stream = ''] = /index => "(.+?)"/.exec(readFileSync(`${FOLDER}/logstash/${pipeline}.conf`, 'utf8')) ?? []
  return stream
}

export const STREAM = streamOf('logs')

/** A log line with its origin, as it leaves Kafka. */
export type Document = Readonly<Record<string, unknown>>

/** Installs the index template without the lifecycle policy, which only Elasticsearch has. */
export async function installTemplate(node: SearchNode): Promise<void> {
  const template = JSON.parse(readFileSync(`${FOLDER}/elasticsearch/template.json`, 'utf8'))
  if (!Object.hasOwn(template.template.settings, 'index.lifecycle.name'))
    throw new Error('template.json names no policy')
  delete template.template.settings['index.lifecycle.name']
  await node.send('PUT', '/_index_template/logs', template)
}

/** Returns the value at a field reference of Logstash, such as `[host][name]`. */
function getField(document: Document, reference: string): unknown {
  const path = reference.startsWith('[') ? reference.slice(1, -1).split('][') : [reference]
  return path.reduce<unknown>((value, key) => (value as Document | undefined)?.[key], document)
}

const [, list = ''] = /source => \[(.+?)\]\n/.exec(readFileSync(`${FOLDER}/logstash/logs.conf`, 'utf8')) ?? []
const sources = [...list.matchAll(/"(.+?)"/g)].map(([, source = '']) => source)

/** Computes the id of a document from the fields that logs.conf names. */
export function documentId(document: Document): string {
  const text = sources.map((source) => `|${source}|${JSON.stringify(getField(document, source) ?? null)}`).join('')
  return createHash('sha256').update(text).digest('hex')
}

export interface Indexed {
  readonly status: number
  readonly error?: { readonly type: string; readonly reason: string }
}

/** Sends documents as Logstash does. Resolves with one result for each. */
export async function indexDocuments(node: SearchNode, documents: readonly Document[]): Promise<readonly Indexed[]> {
  const lines = documents.flatMap((document) => [{ create: { _id: documentId(document) } }, document])
  const { items } = await node.send<{ items: readonly { create: Indexed }[] }>(
    'POST',
    `/${STREAM}/_bulk?refresh=true`,
    lines,
  )
  return items.map(({ create }) => create)
}

/** Searches with the query language of Lucene. Resolves with the documents, the oldest first. */
export async function search(node: SearchNode, query: string): Promise<readonly Document[]> {
  const { hits } = await node.send<{ hits: { hits: readonly { _source: Document }[] } }>('POST', `/${STREAM}/_search`, {
    size: 1_000,
    query: { query_string: { query } },
    sort: ['@timestamp', 'log.offset'],
  })
  return hits.hits.map(({ _source }) => _source)
}
