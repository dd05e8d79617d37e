import { STATUS_CODES } from 'node:http'
import * as z from 'zod'
import type { ProblemCode, ProblemTable } from '../problem/index.ts'
import { MAX_FIELD_LENGTH } from './field-errors.ts'
import {
  type BodyDescription,
  describeBody,
  type OperationDescription,
  type ResponseDescription,
  type Schema,
} from './operation.ts'
import { METHODS, type Method } from './route.ts'
import { MAX_ERRORS } from './validate.ts'

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
  readonly routes: readonly DescribedRoute[]
  /** Paths that respond before the router, the guard and the rate limit. */
  readonly probes: readonly DescribedRoute[]
  readonly problems: ProblemTable
  /** Codes that every operation of the router may return, such as `internal`. */
  readonly commonProblems: readonly ProblemCode[]
  /** @default every operation is public */
  readonly guard?: Guard
}

export interface Openapi extends Json {
  readonly openapi: '3.1.1'
}

type Json = Readonly<Record<string, unknown>>

/** Codes of the errors that reading a body throws. */
const BODY_PROBLEMS: Readonly<Record<BodyDescription['type'], readonly ProblemCode[]>> = (() => {
  const raw = ['incomplete_body', 'body_too_large', 'unsupported_media_type', 'unsupported_encoding'] as const
  return {
    raw,
    stream: ['body_too_large', 'unsupported_media_type'],
    form: [...raw, 'unsupported_charset'],
    json: [...raw, 'unsupported_charset', 'malformed_json'],
  }
})()

const LENGTHS: Readonly<Record<string, number>> = { uuid: 36, date: 10 }

function jsonSchema(schema: Schema, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, override: addLimits })
  return rest
}

/** Adds the limits that follow from the type of a value. */
function addLimits({ jsonSchema: schema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { type, format = '', minimum = 0, maximum = Infinity } = schema
  const length = LENGTHS[format]
  if (length !== undefined) schema.maxLength ??= length
  if (type === 'integer') schema.format = minimum >= -(2 ** 31) && maximum < 2 ** 31 ? 'int32' : 'int64'
}

const PROBLEM = z.object({
  type: z.literal('about:blank'),
  title: z.string().max(100),
  status: z.int().min(400).max(599),
  detail: z.string().max(1_000),
  code: z.string().max(100),
  requestId: z.string().max(128),
  errors: z
    .array(
      z.object({
        in: z.enum(['query', 'headers', 'body']),
        field: z.string().max(MAX_FIELD_LENGTH),
        message: z.string().max(1_000),
      }),
    )
    .max(MAX_ERRORS)
    .optional(),
})

/** The value of any header (RFC 9110 §5.5), within Node's limit for all headers of a message. */
const HEADER = { type: 'string', maxLength: 16_384, pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$' }

const HEADERS: Json = {
  'RateLimit-Policy': { description: 'The limit of the client. Absent without a limit', schema: HEADER },
  RateLimit: { description: 'The remaining requests of the client. Absent without a limit', schema: HEADER },
  'Retry-After': {
    description: 'Seconds to wait before the next request',
    schema: jsonSchema(z.int32().nonnegative(), 'output'),
  },
}

const referToHeaders = (...names: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))

const RATE_LIMIT_HEADERS = referToHeaders('RateLimit-Policy', 'RateLimit')
const RETRY_AFTER = referToHeaders('Retry-After')

/** Renders the OpenAPI 3.1 document of a service: https://spec.openapis.org/oas/v3.1.1.html */
export function renderOpenapi({
  title,
  version,
  routes,
  probes,
  problems,
  commonProblems,
  guard,
}: OpenapiOptions): Openapi {
  const security = guard && Object.keys(guard.schemes).map((scheme) => ({ [scheme]: [] }))

  function describeProbe(operation: OperationDescription): Json {
    const codes = ['bad_request', ...(operation.problems ?? [])] as const
    return { ...renderOperation(operation, codes, problems), security: [] }
  }

  function describe(operation: OperationDescription): Json {
    const guarded = guard !== undefined && operation.public !== true
    const codes = [...listProblems(operation), ...commonProblems, ...(guarded ? guard.problems : [])]
    const rendered = renderOperation(operation, codes, problems, RATE_LIMIT_HEADERS)
    return { ...rendered, security: guarded ? security : [] }
  }

  return {
    openapi: '3.1.1',
    info: { title, version },
    servers: [{ url: '/' }],
    paths: Object.fromEntries([
      ...probes.map((route) => renderPath(route, describeProbe)),
      ...routes.map((route) => renderPath(route, describe)),
    ]),
    components: {
      schemas: { Problem: jsonSchema(PROBLEM, 'output') },
      headers: HEADERS,
      ...(guard && { securitySchemes: guard.schemes }),
    },
  }
}

/** Lists the codes that follow from the schemas of an operation, and its own. */
function listProblems(operation: OperationDescription): ProblemCode[] {
  const { params, query, headers, problems = [] } = operation
  const body = describeBody(operation)
  const codes = new Set<ProblemCode>(['bad_request', ...problems])
  if (params) for (const code of ['malformed_path', 'not_found'] as const) codes.add(code)
  if (query ?? headers ?? (body && 'schema' in body)) codes.add('invalid_input')
  if (body) for (const code of BODY_PROBLEMS[body.type]) codes.add(code)
  return [...codes]
}

function renderPath(
  { path, ...operations }: DescribedRoute,
  describe: (operation: OperationDescription) => Json,
): [string, Json] {
  const methods = METHODS.flatMap((method) => {
    const operation = operations[method]
    return operation === undefined ? [] : [[method, describe(operation)]]
  })
  return [path.replaceAll(/:(\w+)/g, '{$1}'), Object.fromEntries(methods)]
}

function renderOperation(
  operation: OperationDescription,
  codes: readonly ProblemCode[],
  problems: ProblemTable,
  commonHeaders?: Json,
): Json {
  const { id, summary, responses } = operation
  const body = describeBody(operation)
  const parameters = [
    ...renderParameters('path', operation.params),
    ...renderParameters('query', operation.query),
    ...renderParameters('header', operation.headers),
  ]
  const rendered = Object.entries(responses).map(([status, response]): [string, Json] => [
    status,
    renderResponse(response),
  ])
  const all = { ...renderProblems(codes, problems), ...Object.fromEntries(rendered) }
  return {
    operationId: id,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: renderBody(body) }),
    responses: commonHeaders ? addHeaders(all, commonHeaders) : all,
  }
}

function addHeaders(responses: Readonly<Record<string, Json>>, headers: Json): Json {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...response, headers: { ...headers, ...(response['headers'] as Json | undefined) } },
    ]),
  )
}

const SCHEMA_MEDIA_TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' }

function renderBody(body: BodyDescription): Json {
  const content =
    'schema' in body
      ? { [SCHEMA_MEDIA_TYPES[body.type]]: { schema: jsonSchema(body.schema, 'input') } }
      : Object.fromEntries(body.mediaTypes.map((type) => [type, {}]))
  return { required: true, content }
}

/** Renders each property of an object schema as a parameter. */
function renderParameters(place: 'path' | 'query' | 'header', schema: Schema | undefined): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', override: addLimits })
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description !== undefined && { description }),
      schema: place === 'header' ? { ...HEADER, ...rest } : rest,
    }
  })
}

function renderResponse({ description, schema, example, mediaTypes, headers }: ResponseDescription): Json {
  const fields = Object.entries(headers ?? {}).map(([name, description]) => [name, { description, schema: HEADER }])
  const json = schema && { schema: jsonSchema(schema(), 'output'), ...(example !== undefined && { example }) }
  const content = {
    ...(json && { 'application/json': json }),
    ...Object.fromEntries((mediaTypes ?? []).map((type) => [type, {}])),
  }
  return {
    description,
    ...(headers && { headers: Object.fromEntries(fields) }),
    ...(Object.keys(content).length > 0 && { content }),
  }
}

/** Renders one response for each status, with an example for each of its codes. */
function renderProblems(codes: readonly ProblemCode[], problems: ProblemTable): Record<string, Json> {
  const types = codes.flatMap((code) => {
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
      const content = { 'application/problem+json': { schema, examples: Object.fromEntries(examples) } }
      const waits = status === '429' || group.some(({ retryAfterSeconds }) => retryAfterSeconds !== undefined)
      const description = examples.map(([code]) => code).join(', ')
      return [status, { description, ...(waits && { headers: RETRY_AFTER }), content }]
    }),
  )
}

const REQUEST_ID = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
const FIELD_ERROR = { in: 'body', field: 'title', message: 'Invalid input: expected string, received undefined' }
