import { STATUS_CODES } from 'node:http'
import * as z from 'zod'
import type { ProblemCode, ProblemTable } from '../problem/index.ts'
import { MAX_ERRORS, MAX_TEXT } from './field-errors.ts'
import { HEADER_TEXT, type Json, renderSchema } from './json-schema.ts'
import {
  type BodyDescription,
  describeBody,
  type OperationDescription,
  type ResponseDescription,
  type Schema,
} from './operation.ts'
import { METHODS, type Method } from './route.ts'

/** The part of a route that the document shows. */
export interface DescribedRoute extends Readonly<Partial<Record<Method, OperationDescription>>> {
  readonly path: string
}

/** The authentication of every operation that is not public. */
export interface Guard {
  /** Any one of them suffices: https://spec.openapis.org/oas/v3.1.1.html#security-scheme-object */
  readonly schemes: Json
  /** Codes of the errors that the guard throws. */
  readonly problems: readonly ProblemCode[]
}

export interface OpenapiOptions {
  readonly title: string
  readonly version: string
  readonly description: string
  readonly routes: readonly DescribedRoute[]
  /** Paths that respond before the router, the guard and the rate limit. */
  readonly probes: readonly DescribedRoute[]
  readonly problems: ProblemTable
  /** Codes that every operation of the router may return, such as `internal`. */
  readonly commonProblems: readonly ProblemCode[]
  /** Descriptions of the headers that every response of the router may have, by name. */
  readonly commonHeaders: Readonly<Record<string, string>>
  /** @default every operation is public */
  readonly guard?: Guard
}

export interface Openapi extends Json {
  readonly openapi: '3.1.1'
}

/** Codes of the errors that reading a body throws. */
const BODY_PROBLEMS: Readonly<Record<BodyDescription['type'], readonly ProblemCode[]>> = (() => {
  const stream = ['incomplete_body', 'body_too_large', 'unsupported_media_type'] as const
  const raw = [...stream, 'unsupported_encoding'] as const
  const form = [...raw, 'unsupported_charset'] as const
  return { stream, raw, form, json: [...form, 'malformed_json'] }
})()

const anyText = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\s\S]*$/)

const PROBLEM = z.object({
  type: z.literal('about:blank'),
  title: anyText(100),
  status: z.int().min(400).max(599),
  detail: anyText(500),
  code: z
    .string()
    .max(100)
    .regex(/^[a-z][a-z_]*$/),
  requestId: z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9._-]+$/),
  errors: z
    .array(z.object({ in: z.enum(['query', 'headers', 'body']), field: anyText(MAX_TEXT), message: anyText(MAX_TEXT) }))
    .max(MAX_ERRORS)
    .optional(),
})

const SERVER = { url: '/', description: 'The environment that serves this document: local, staging or production' }

/** Renders the OpenAPI 3.1 document of a service: https://spec.openapis.org/oas/v3.1.1.html */
export function renderOpenapi({ title, version, description, problems, guard, ...options }: OpenapiOptions): Openapi {
  const { routes, probes, commonProblems, commonHeaders } = options
  const security = Object.keys(guard?.schemes ?? {}).map((scheme) => ({ [scheme]: [] }))

  function describeProbe(operation: OperationDescription): Json {
    return { tags: ['health'], security: [], ...renderOperation(operation, operation.problems ?? [], problems, {}) }
  }

  function describeOperation(operation: OperationDescription, path: string): Json {
    const isGuarded = guard !== undefined && operation.public !== true
    const codes = [...listProblems(operation), ...commonProblems, ...(isGuarded ? guard.problems : [])]
    return {
      tags: [nameTag(path)],
      security: isGuarded ? security : [],
      ...renderOperation(operation, codes, problems, commonHeaders),
    }
  }

  const tags = [...new Set(['health', ...routes.map(({ path }) => nameTag(path))])]
  return {
    openapi: '3.1.1',
    info: { title, version, description },
    servers: [SERVER],
    tags: tags.map((name) => ({ name, description: `Operations of the group ${name}` })),
    paths: Object.fromEntries([
      ...probes.map((route) => renderPath(route, describeProbe)),
      ...routes.map((route) => renderPath(route, describeOperation)),
    ]),
    components: {
      schemas: { Problem: renderSchema(PROBLEM, 'output') },
      headers: renderHeaders({ ...commonHeaders, ...RETRY_AFTER }),
      ...(guard && { securitySchemes: guard.schemes }),
    },
  }
}

/** Returns the name of the resource in a path such as `/v1/items/:id`. */
const nameTag = (path: string): string => /^\/v\d+\/([^/]+)/.exec(path)?.[1] ?? 'service'

/** Lists the codes that follow from the schemas of an operation, and its own. */
function listProblems(operation: OperationDescription): ProblemCode[] {
  const { params, query, headers, problems = [] } = operation
  const body = describeBody(operation)
  const codes = new Set<ProblemCode>(problems)
  if (params) for (const code of ['malformed_path', 'not_found'] as const) codes.add(code)
  if (query ?? headers ?? (body && 'schema' in body)) codes.add('invalid_input')
  if (body) for (const code of BODY_PROBLEMS[body.type]) codes.add(code)
  return [...codes]
}

function renderPath(
  { path, ...operations }: DescribedRoute,
  describe: (operation: OperationDescription, path: string) => Json,
): [string, Json] {
  const methods = METHODS.flatMap((method) => {
    const operation = operations[method]
    return operation === undefined ? [] : [[method, describe(operation, path)]]
  })
  return [path.replaceAll(/:(\w+)/g, '{$1}'), Object.fromEntries(methods)]
}

function renderOperation(
  operation: OperationDescription,
  codes: readonly ProblemCode[],
  problems: ProblemTable,
  commonHeaders: Readonly<Record<string, string>>,
): Json {
  const { id, summary, responses } = operation
  const body = describeBody(operation)
  const parameters = [
    ...renderParameters('path', operation.params),
    ...renderParameters('query', operation.query),
    ...renderParameters('header', operation.headers),
  ]
  const headers = referToHeaders(commonHeaders)
  const rendered = Object.entries(responses).map(([status, response]) => [status, renderResponse(response, headers)])
  return {
    operationId: id,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: renderBody(body) }),
    responses: { ...renderProblems(codes, problems, headers), ...Object.fromEntries(rendered) },
  }
}

const SCHEMA_MEDIA_TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' }

function renderBody(body: BodyDescription): Json {
  const content =
    'schema' in body
      ? { [SCHEMA_MEDIA_TYPES[body.type]]: { schema: renderSchema(body.schema, 'input') } }
      : Object.fromEntries(body.mediaTypes.map((type) => [type, {}]))
  return { required: true, content }
}

/** Renders each property of an object schema as a parameter. */
function renderParameters(place: 'path' | 'query' | 'header', schema: Schema | undefined): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = renderSchema(schema, 'input')
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

const RETRY_AFTER = { 'Retry-After': 'Seconds until a retry makes sense' }

function renderHeaders(descriptions: Readonly<Record<string, string>>): Json {
  const rendered = Object.entries(descriptions).map(([name, description]) => [
    name,
    { description, schema: HEADER_TEXT },
  ])
  return Object.fromEntries(rendered)
}

function referToHeaders(descriptions: Readonly<Record<string, string>>): Json {
  const references = Object.keys(descriptions).map((name) => [name, { $ref: `#/components/headers/${name}` }])
  return Object.fromEntries(references)
}

function renderResponse(response: ResponseDescription, commonHeaders: Json): Json {
  const { description, schema, example, mediaTypes = [], headers = {} } = response
  const json = schema && { schema: renderSchema(schema(), 'output'), ...(example !== undefined && { example }) }
  const content = {
    ...(json && { 'application/json': json }),
    ...Object.fromEntries(mediaTypes.map((type) => [type, {}])),
  }
  const allHeaders = { ...commonHeaders, ...renderHeaders(headers) }
  return {
    description,
    ...(Object.keys(allHeaders).length > 0 && { headers: allHeaders }),
    ...(Object.keys(content).length > 0 && { content }),
  }
}

/** Renders one response for each status, with an example for each of its codes. */
function renderProblems(codes: readonly ProblemCode[], problems: ProblemTable, commonHeaders: Json): Json {
  const types = [...new Set(codes)].map((code) => {
    const type = problems[code]
    if (type === undefined) throw new Error(`the problem table lacks ${code}`)
    return { code, ...type }
  })
  const byStatus = Object.entries(Object.groupBy(types, ({ status }) => status))
  return Object.fromEntries(
    byStatus.map(([status, group = []]) => {
      const examples = group.map(({ code, detail }): [string, Json] => {
        const title = STATUS_CODES[status]
        const value = { type: 'about:blank', title, status: Number(status), detail, code, requestId: REQUEST_ID }
        return [
          code,
          { summary: detail, value: code === 'invalid_input' ? { ...value, errors: [FIELD_ERROR] } : value },
        ]
      })
      const schema = { $ref: '#/components/schemas/Problem' }
      const isTemporary = status === '429' || group.some(({ retryAfterSeconds }) => retryAfterSeconds !== undefined)
      const response = {
        description: examples.map(([code]) => code).join(', '),
        headers: { ...commonHeaders, ...(isTemporary && referToHeaders(RETRY_AFTER)) },
        content: { 'application/problem+json': { schema, examples: Object.fromEntries(examples) } },
      }
      return [status, response]
    }),
  )
}

const REQUEST_ID = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
const FIELD_ERROR = { in: 'body', field: 'title', message: 'Invalid input: expected string, received undefined' }
