import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { succeed } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'

test('compose.yaml makes a valid configuration of a Prometheus that scrapes its service', async () => {
  await needTools(['promtool'], 'prometheus')
  const directory = temporaryDirectory('prometheus')
  const { services } = parse(readFileSync('compose.yaml', 'utf8'), { merge: true })
  const script = String(services.prometheus.command[0])
    .replaceAll(' /prometheus/', ` ${directory}/`)
    .replaceAll('>/prometheus/', `>${directory}/`)
    .replaceAll('/etc/service', import.meta.dirname)
  expect(script).toContain('exec prometheus')
  await succeed('/bin/sh', ['-ec', script.replace(/exec prometheus[\s\S]*/, '')])
  const configuration = join(directory, 'prometheus.yml')
  await succeed('promtool', ['check', 'config', configuration])
  expect(parse(readFileSync(configuration, 'utf8'))).toMatchObject({
    alerting: { alertmanagers: [{ static_configs: [{ targets: ['alertmanager:9093'] }] }] },
    scrape_configs: [{ static_configs: [{ targets: ['app:9464'] }] }],
  })
}, 300_000)
