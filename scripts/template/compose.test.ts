import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { dropServices } from './compose.ts'

const text = readFileSync('compose.yaml', 'utf8')
const OBSERVE = ['prometheus', 'alertmanager', 'grafana']
const listServices = (file: string) => Object.keys(parse(file, { merge: true }).services)

test('a service that keeps every way of deployment keeps the compose file', () => {
  expect(dropServices(text, () => true)).toBe(text)
})

test('the services of a way of deployment that is gone are removed, with their comments', () => {
  const dropped = dropServices(text, (folder) => folder !== 'deploy/alertmanager')
  expect(listServices(dropped)).toEqual(listServices(text).filter((name) => name !== 'alertmanager'))
  expect(dropped).not.toContain('alertmanager.yml')
  expect(dropped).toContain('--profile observe')
})

test('a profile loses all services when its folder is gone', () => {
  const dropped = dropServices(text, (folder) => folder !== 'deploy/logging')
  expect(listServices(dropped)).toEqual([...['migrate', 'app', 'postgres', 'redis'], ...OBSERVE])
  expect(dropped).not.toMatch(/logs|kafka/)
  expect(listServices(dropServices(text, (folder) => folder === 'deploy/logging'))).toContain('kafka')
})

test('without any of them, the file has no profiles, and the rest is unchanged', () => {
  const dropped = dropServices(text, () => false)
  expect(listServices(dropped)).toEqual(['migrate', 'app', 'postgres', 'redis'])
  expect(dropped).not.toMatch(/profile|deploy\//)
  const { services, ...rest } = parse(text, { merge: true })
  const { migrate, app, postgres, redis } = services
  expect(parse(dropped, { merge: true })).toEqual({ ...rest, services: { migrate, app, postgres, redis } })
})
