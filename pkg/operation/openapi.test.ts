import { expect, test } from '@jest/globals'
import * as z from 'zod'
import { HTTP_PROBLEMS, type ProblemCode, type ProblemTable } from '../problem/index.ts'
import { renderOpenapi } from './openapi.ts'
import { type Operation, operation } from './operation.ts'

const send = (id: string, body: z.ZodType = z.object({})): Operation =>
  operation({ id, summary: 'Sends', body, responses: { 204: { description: 'Done' } }, handler() {} })

function render(operations: Readonly<Record<string, Operation>>) {
  const routes = Object.entries(operations).map(([path, post]) => ({ path, post }))
  const info = { title: 'test', version: '1', description: 'A test' }
  const problems = HTTP_PROBLEMS as unknown as ProblemTable<ProblemCode>
  return JSON.parse(renderOpenapi({ info, routes, problems, probes: {}, commonProblems: [], commonHeaders: {} }))
}

test('a schema with an id is a component, wherever it is used, and its first example is the example of the body', () => {
  const item = z.strictObject({ name: z.string() }).meta({ id: 'Item', examples: [{ name: 'One' }, { name: 'Two' }] })
  const { components, paths } = render({ '/v1/items': send('a', item), '/v1/lists': send('b', z.array(item)) })
  expect(components.schemas.Item).toMatchObject({ properties: { name: { type: 'string' } } })
  const schema = { $ref: '#/components/schemas/Item' }
  const json = (path: string) => paths[path].post.requestBody.content['application/json']
  expect(json('/v1/items')).toEqual({ schema, example: { name: 'One' } })
  expect(json('/v1/lists')).toEqual({ schema: { type: 'array', items: schema } })
})

test('two different schemas cannot have the same id', () => {
  const [one, other] = [z.strictObject({ a: z.int() }), z.strictObject({ b: z.int() })].map((schema) =>
    schema.meta({ id: 'Same' }),
  )
  expect(() => render({ '/v1/a': send('a', one), '/v1/b': send('b', other) })).toThrow('two schemas have the name Same')
  expect(() => render({ '/v1/a': send('a', one), '/v1/b': send('b', one) })).not.toThrow()
})

test('the list of a resource under another has the tag of the resource, and the service comes after the resources', () => {
  const paths = ['/ping', '/v1/owners/:id', '/v1/owners/:id/cars', '/v1/cars', '/v1/cars/:id/sell']
  const document = render(Object.fromEntries(paths.map((path) => [path, send(path)])))
  const tagged = Object.entries<{ post: { tags: string[] } }>(document.paths).map(([path, { post }]) => [
    path,
    ...post.tags,
  ])
  expect(tagged).toEqual([
    ['/ping', 'service'],
    ['/v1/owners/{id}', 'owners'],
    ['/v1/owners/{id}/cars', 'cars'],
    ['/v1/cars', 'cars'],
    ['/v1/cars/{id}/sell', 'cars'],
  ])
  expect(document.tags.map(({ name }: { name: string }) => name)).toEqual(['owners', 'cars', 'service', 'health'])
})
