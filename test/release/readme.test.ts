import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'

const readme = readFileSync('README.md', 'utf8')
const isRow = (line: string) => line.startsWith('|') && !/^\|[-: |]+\|$/.test(line)
const listRows = (heading: string) =>
  (readme.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '').split('\n').filter(isRow)
const listFigures = (text: string) =>
  text
    // Figures in code, in links and in words such as p99 are names.
    .replaceAll(/`[^`]*`|\]\([^)]*\)|\]\[[^\]]*\]/g, ' ')
    .match(/(?<![\w.])\d[\d,.]*(?<=\d)/g) ?? []
const readLinked = (row: string) =>
  [...row.matchAll(/\]\((?!http)([^)#]+)[^)]*\)/g)].map(([, file = '']) => readFileSync(file, 'utf8')).join('\n')
const hasFigure = (text: string, figure: string) =>
  new RegExp(`(?<![\\d.,])${figure.replaceAll('.', '\\.')}(?![\\d]|[.,]\\d)`).test(text)

test('the pitch has three lines and calls this a template', () => {
  const [, pitch = ''] = readme.split('\n\n')
  expect(pitch.split('\n')).toHaveLength(3)
  expect(pitch).toContain('template')
})

describe('every figure is in the page that its row links to', () => {
  const [, ...features] = listRows('Ten features, measured')
  test('of ten features', () => {
    expect(features).toHaveLength(10)
  })

  test.each(features)('%s', (row) => {
    expect(listFigures(row)).not.toEqual([])
    const linked = readLinked(row)
    expect(listFigures(row).filter((figure) => !hasFigure(linked, figure))).toEqual([])
  })

  const measured = listRows('How it compares').filter((row) => row.includes('bench/results'))
  test.each(measured)('%s', (row) => {
    expect(listFigures(row)).toHaveLength(4)
    expect(listFigures(row).filter((figure) => !hasFigure(readLinked(row), figure))).toEqual([])
  })
})

test('every cell about another template is measured or links to a version of its source', () => {
  const [, ...rows] = listRows('How it compares')
  for (const row of rows.filter((row) => !row.includes('bench/results'))) {
    const [, , , ...others] = row.split('|').map((cell) => cell.trim())
    for (const cell of others.filter(Boolean)) expect(cell).toMatch(/^\[.*\]\[[a-z-]+\]$/)
  }
  const used = new Set([...readme.matchAll(/\]\[([a-z-]+)\]/g)].map(([, name]) => name))
  const sources = [...readme.matchAll(/^\[([a-z-]+)\]: (\S+)$/gm)]
  expect(new Set(sources.map(([, name]) => name))).toEqual(used)
  for (const [, , url] of sources)
    expect(url).toMatch(/^https:\/\/github\.com\/[\w-]+\/[\w-]+\/blob\/[0-9a-f]{40}\/\S+$/)
})
