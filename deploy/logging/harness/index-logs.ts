import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SearchNode } from './start-search-node.ts'

export const STREAM = 'logs-my_service-default'

/** A log line with its origin, as it leaves Kafka. */
export type Document = Readonly<Record<string, unknown>>

const read = (file: string) => JSON.parse(readFileSync(`deploy/logging/elasticsearch/${file}.json`, 'utf8'))

/** Installs the mappings, the settings and the template, without the lifecycle policy that only Elasticsearch has. */
export async function installTemplate(node: SearchNode): Promise<void> {
  const settings = read('settings')
  const policy = settings.template.settings['index.lifecycle.name']
  if (policy !== 'my-service-logs') throw new Error(`settings.json names the policy ${policy}`)
  delete settings.template.settings['index.lifecycle.name']
  await node.send('PUT', '/_component_template/my-service-logs-mappings', read('mappings'))
  await node.send('PUT', '/_component_template/my-service-logs-settings', settings)
  await node.send('PUT', '/_index_template/my-service-logs', read('template'))
}

/** Returns the value at a field reference of Logstash, such as `[host][name]`. */
function getField(document: Document, reference: string): unknown {
  const path = reference.startsWith('[') ? reference.slice(1, -1).split('][') : [reference]
  return path.reduce<unknown>((value, key) => (value as Document | undefined)?.[key], document)
}

const [, list = ''] = /source => \[(.+?)\]\n/.exec(readFileSync('deploy/logging/logstash/logs.conf', 'utf8')) ?? []
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
