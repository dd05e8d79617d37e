import { expect, test } from '@jest/globals'
import * as z from 'zod'
import { operation } from './operation.ts'

/* `tsc` reports each `@ts-expect-error` whose next line has no error. */

const responses = { 200: { description: 'The note', schema: () => z.object({ title: z.string() }) } }
const base = { id: 'x', summary: 'x', responses } as const

test('a misspelt code in the problems of an operation does not compile', () => {
  const { problems } = operation({
    ...base,
    // @ts-expect-error
    problems: ['not_found', 'confilct'],
    handler: (_req, res) => void res.json({ title: 'x' }),
  })
  expect(problems).toEqual(['not_found', 'confilct'])
})

test('a handler that sends a wrong body or reads an undeclared field does not compile', () => {
  const { handler } = operation({
    ...base,
    query: z.object({ limit: z.string() }),
    handler: (req, res) => {
      // @ts-expect-error
      void req.query.limlt
      // @ts-expect-error
      res.json({ titel: 'x' })
    },
  })
  expect(handler).toBeInstanceOf(Function)
})

test('the body type of an operation determines the type of req.body', () => {
  const raw = operation({
    ...base,
    body: { type: 'raw', mediaTypes: ['text/plain'] },
    handler: (req, res) => void res.json({ title: req.body.toString('base64') }),
  })
  const stream = operation({
    ...base,
    body: { type: 'stream', mediaTypes: ['text/plain'], maxBytes: 1 },
    handler: (req, res) => {
      // @ts-expect-error
      void req.body.length
      req.body.pipe(res)
    },
  })
  expect([raw.body, stream.body]).toMatchObject([{ type: 'raw' }, { type: 'stream' }])
})
