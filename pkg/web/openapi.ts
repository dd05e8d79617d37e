import { STATUS_CODES } from 'node:http'
import * as z from 'zod/mini'
import type { Answer, OperationDescription, Schema } from './operation.ts'
import type { HttpErrorTable } from './problem.ts'
import { METHODS, type Method } from './route.ts'

/*
 * The document of a service, OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.1.html. Not part of index.ts: what only
 * this needs is loaded when the document is first asked for.
 */

/** A route as far as the document shows it, or a path that something else than a router answers. */
export interface DescribedRoute extends Readonly<Partial<Record<Method, OperationDescription>>> {
  readonly path: string
}

/** What must be known of a caller. */
export interface Guard {
  /** How the paths begin that it stands before. */
  readonly under: string
  /** Any of these is enough: https://spec.openapis.org/oas/v3.1.1.html#security-scheme-object */
  readonly schemes: Json
  /** Codes of what it answers itself. */
  readonly problems: readonly string[]
}

export interface OpenapiOptions {
  readonly title: string
  readonly version: string
  /** What the router answers: any of these may end with one of the errors that all requests may end with. */
  readonly routes: readonly DescribedRoute[]
  /** What is answered before the router. */
  readonly probes: readonly DescribedRoute[]
  /** Every code of `problems`. */
  readonly errors: HttpErrorTable
  /** Unset: every path is open. */
  readonly guard?: Guard
}

export interface Openapi extends Json {
  readonly openapi: '3.1.1'
}

type Json = Readonly<Record<string, unknown>>

const FROM_ANY = ['too_many_requests', 'internal']
const FROM_BODY = [
  'malformed_json',
  'incomplete_body',
  'body_too_large',
  'unsupported_media_type',
  'unsupported_encoding',
  'unsupported_charset',
]

const PROBLEM = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  errors: z.optional(
    z.array(z.object({ in: z.enum(['query', 'headers', 'body']), field: z.string(), message: z.string() })),
  ),
})

function jsonSchema(schema: Schema, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}

/** A pure function of what the routes say of themselves. */
export function openapi({ title, version, routes, probes, errors, guard }: OpenapiOptions): Openapi {
  const paths = [
    ...probes.map((route) => pathOf(route, ({ problems = [] }) => problems, errors)),
    ...routes.map((route) => {
      const guarding = guard && route.path.startsWith(guard.under) ? guard : undefined
      return pathOf(route, (operation) => [...problemsOf(operation), ...(guarding?.problems ?? [])], errors, guarding)
    }),
  ]
  return {
    openapi: '3.1.1',
    info: { title, version },
    paths: Object.fromEntries(paths),
    components: {
      schemas: { Problem: jsonSchema(PROBLEM, 'output') },
      ...(guard && { securitySchemes: guard.schemes }),
    },
  }
}

function problemsOf({ params, query, body, headers, problems = [] }: OperationDescription): string[] {
  const codes = new Set([...problems, ...FROM_ANY])
  if (params) for (const code of ['malformed_path', 'not_found']) codes.add(code)
  if (query ?? headers ?? body) codes.add('invalid_input')
  if (body) for (const code of FROM_BODY) codes.add(code)
  return [...codes]
}

function pathOf(
  { path, ...operations }: DescribedRoute,
  problems: (operation: OperationDescription) => readonly string[],
  errors: HttpErrorTable,
  guard?: Guard,
): [string, Json] {
  const security = guard && Object.keys(guard.schemes).map((scheme) => ({ [scheme]: [] }))
  const methods = METHODS.flatMap((method) => {
    const operation = operations[method]
    return operation === undefined
      ? []
      : [[method, { ...operationOf(operation, problems(operation), errors), ...(security && { security }) }]]
  })
  return [path.replaceAll(/:(\w+)/g, '{$1}'), Object.fromEntries(methods)]
}

function operationOf(operation: OperationDescription, problems: readonly string[], errors: HttpErrorTable): Json {
  const { id, summary, body, responses } = operation
  const parameters = [
    ...parametersIn('path', operation.params),
    ...parametersIn('query', operation.query),
    ...parametersIn('header', operation.headers),
  ]
  const answers = Object.entries(responses).map(([status, answer]) => [status, answerOf(answer)])
  return {
    operationId: id,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body, 'input') } } },
    }),
    responses: { ...problemAnswers(problems, errors), ...Object.fromEntries(answers) },
  }
}

/** The fields of an object schema, one parameter each. */
function parametersIn(place: 'path' | 'query' | 'header', schema: Schema | undefined): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' })
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description !== undefined && { description }),
      schema: rest,
    }
  })
}

function answerOf({ description, schema, example, headers }: Answer): Json {
  const fields = Object.entries(headers ?? {}).map(([name, says]) => [
    name,
    { description: says, schema: { type: 'string' } },
  ])
  return {
    description,
    ...(headers && { headers: Object.fromEntries(fields) }),
    ...(schema && {
      content: {
        'application/json': { schema: jsonSchema(schema(), 'output'), ...(example !== undefined && { example }) },
      },
    }),
  }
}

/** One answer a status, with an example for each code that has it. */
function problemAnswers(codes: readonly string[], errors: HttpErrorTable): Json {
  const answers: Record<string, { description: string; content: Json }> = {}
  const known = codes.flatMap((code) => {
    const entry = errors[code]
    if (entry === undefined) throw new Error(`no error has the code ${code}`)
    return { code, ...entry }
  })
  for (const [status, those] of Object.entries(Object.groupBy(known, ({ status }) => status))) {
    const examples = (those ?? []).map(({ code, detail }): [string, Json] => {
      const title = STATUS_CODES[status]
      const value = { type: 'about:blank', title, status: Number(status), detail, code, requestId: REQUEST_ID }
      return [code, { summary: detail, value: code === 'invalid_input' ? { ...value, errors: [FIELD_ERROR] } : value }]
    })
    answers[status] = {
      description: examples.map(([code]) => code).join(', '),
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          examples: Object.fromEntries(examples),
        },
      },
    }
  }
  return answers
}

const REQUEST_ID = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
const FIELD_ERROR = { in: 'body', field: 'title', message: 'Invalid input: expected string, received undefined' }
