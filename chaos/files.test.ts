import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from '@jest/globals'
import { parseExperiment } from './experiment.ts'

const files = globSync('chaos/*.json').sort()

test('there are at least ten experiments', () => {
  expect(files.length).toBeGreaterThanOrEqual(10)
})

test.each(files)('%s is valid, names the weakness that it looks for', (file) => {
  const experiment = parseExperiment(readFileSync(file, 'utf8'), file)
  expect(experiment.description).toMatch(/^Looks for /)
})

const page = 'deploy/kubernetes/chaos/README.md'
const testPage = existsSync(page) ? test : test.skip
testPage('the page on clusters names every experiment, and every manifest of its folder', () => {
  const text = readFileSync(page, 'utf8')
  const names = files.map((file) => basename(file, '.json'))
  const manifests = globSync('deploy/kubernetes/chaos/{chaos-mesh,litmus}/*.yaml').map(
    (file) => `\`${basename(file)}\``,
  )
  expect([...names, ...manifests].filter((name) => !text.includes(name))).toEqual([])
})
