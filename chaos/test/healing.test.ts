import { expect, jest, test } from '@jest/globals'
import { runHealing } from '../healing/index.ts'

jest.setTimeout(180_000)

test('each short row of the table of healing sees its fault and its recovery', async () => {
  const { measured, markdown, problems } = await runHealing({ quick: true, repeat: 1 })
  // `make chaos` judges the times.
  expect(problems.filter((problem) => problem.includes('was not measured'))).toEqual([])
  expect(measured.length).toBeGreaterThan(0)
  for (const { name, outcome } of measured) {
    expect(outcome.samples).toHaveLength(1)
    for (const [value, number] of Object.entries(outcome.samples[0]!)) {
      expect({ name, value, isMeasured: Number.isFinite(number) }).toEqual({ name, value, isMeasured: true })
    }
    expect(markdown).toContain('| in process | recovered |')
  }
})
