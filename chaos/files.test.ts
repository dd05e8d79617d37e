import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from '@jest/globals'
import { parseExperiment } from './experiment.ts'

const files = globSync('chaos/*.json').sort()

test('there are at least ten experiments', () => {
  expect(files.length).toBeGreaterThanOrEqual(10)
})

test.each(files)('%s is valid, and names the weakness that it looks for', (file) => {
  const experiment = parseExperiment(readFileSync(file, 'utf8'), file)
  expect(experiment.description).toMatch(/^Looks for /)
})

const pages = ['docs/stability.md', 'deploy/kubernetes/chaos/README.md'].filter((page) => existsSync(page))

test.each(pages)('%s names every experiment', (page) => {
  const text = readFileSync(page, 'utf8')
  expect(files.map((file) => basename(file, '.json')).filter((name) => !text.includes(name))).toEqual([])
})
