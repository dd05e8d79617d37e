import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'

const read = (file: string) => readFileSync(`deploy/logging/${file}`, 'utf8')

/** Filebeat accepts names with dots, at any level. */
function flatten(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]]
  return Object.entries(value).flatMap(([name, inner]) => flatten(inner, path === '' ? name : `${path}.${name}`))
}

test('Filebeat, rsyslog and Logstash name the same topic', () => {
  const filebeat = Object.fromEntries(flatten(parse(read('filebeat.yml'))))
  const topic = filebeat['output.kafka.topic']
  expect(read('rsyslog.conf')).toContain(`topic="${topic}"`)
  expect(read('logstash/logs.conf')).toContain(`topics => ["${topic}"]`)
})

test('Filebeat reads JSON lines, waits for the partition of the machine, and for all replicas', () => {
  const filebeat = Object.fromEntries(flatten(parse(read('filebeat.yml'))))
  expect(filebeat).toMatchObject({
    'filebeat.inputs.0.type': 'filestream',
    // Filebeat 8 rejects this identity when its scanner computes no fingerprint, which is the default.
    'filebeat.inputs.0.file_identity.fingerprint': null,
    'filebeat.inputs.0.prospector.scanner.fingerprint.enabled': true,
    'filebeat.inputs.0.parsers.0.ndjson.target': '',
    'filebeat.inputs.0.parsers.0.ndjson.overwrite_keys': true,
    'output.kafka.key': '%{[host.name]}',
    'output.kafka.partition.hash.reachable_only': false,
    'output.kafka.required_acks': -1,
  })
})

test('Logstash writes to streams that the template matches, and keeps rejected documents', () => {
  const { index_patterns: patterns } = JSON.parse(read('elasticsearch/template.json')) as { index_patterns: string[] }
  const matches = (index: string) => patterns.some((pattern) => index.startsWith(pattern.replace('*', '')))
  const indices = ['logs', 'rejected'].map((name) => /index => "(.+?)"/.exec(read(`logstash/${name}.conf`))?.[1] ?? '')
  expect(indices.map(matches)).toEqual([true, true])
  const pipelines: { 'pipeline.id': string }[] = parse(read('logstash/pipelines.yml'))
  const reader = /pipeline_id => "(.+?)"/.exec(read('logstash/rejected.conf'))?.[1]
  expect(pipelines.map((pipeline) => pipeline['pipeline.id'])).toContain(reader)
  // Without `clean_consumed`, the queue keeps the lines that the pipeline has read, becomes full, and drops later lines.
  // `clean_consumed` needs `commit_offsets`.
  expect(read('logstash/rejected.conf')).toMatch(/^ *commit_offsets => true$[\s\S]*^ *clean_consumed => true$/m)
  const settings = Object.fromEntries(flatten(parse(read('logstash/logstash.yml'))))
  expect(settings).toMatchObject({ 'dead_letter_queue.enable': true, 'queue.type': 'persisted' })
  const [, queue] = /^ *path => "(.+)"$/m.exec(read('logstash/rejected.conf')) ?? []
  expect(queue).toBe(`${settings['path.data']}/dead_letter_queue`)
})

test('the lifecycle policy deletes, and the template names it', () => {
  const { policy } = JSON.parse(read('elasticsearch/lifecycle.json'))
  expect(policy.phases.delete.actions).toHaveProperty('delete')
  const { template } = JSON.parse(read('elasticsearch/template.json'))
  expect(read('README.md')).toContain(`/_ilm/policy/${template.settings['index.lifecycle.name']}`)
})
