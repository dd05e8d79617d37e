import * as z from 'zod'
import { type ProblemCode, type ProblemTable, renderProblem } from '../problem/index.ts'
import type { BodyDescription, OperationDescription, ResponseDescription, Schema } from './operation.ts'
import { METHODS, type Method } from './route.ts'
import { MAX_ERRORS, MAX_TEXT } from './validate.ts'

type Json = Readonly<Record<string, unknown>>
type Descriptions = Readonly<Record<string, string>>

/** The properties of a route that the document shows. */
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
  readonly problems: ProblemTable<ProblemCode>
  /** Codes that every operation of the router may return, such as `internal`. */
  readonly commonProblems: readonly ProblemCode[]
  /** Descriptions of the headers that every response of the router may have, by name. */
  readonly commonHeaders: Descriptions
  /** @default every operation is public */
  readonly guard?: Guard
}

/** Renders the OpenAPI 3.1 document of a service as JSON: https://spec.openapis.org/oas/v3.1.1.html */
export function renderOpenapi({
  routes,
  probes,
  problems,
  commonProblems,
  commonHeaders,
  guard,
  ...info
}: OpenapiOptions) {
  const schemes = Object.keys(guard?.schemes ?? {}).map((scheme) => ({ [scheme]: [] }))
  const commonReferences = referTo(commonHeaders)

  function describeProbe(operation: OperationDescription): Json {
    const errors = renderProblems(operation.problems ?? [], problems, {})
    return { tags: ['health'], security: [], ...renderOperation(operation, errors, {}) }
  }

  function describeOperation(operation: OperationDescription, path: string): Json {
    const own = operation.public ? undefined : guard
    const codes = [...listProblems(operation), ...commonProblems, ...(own?.problems ?? [])]
    const errors = renderProblems(codes, problems, commonReferences)
    return {
      tags: [nameTag(path)],
      security: own ? schemes : [],
      ...renderOperation(operation, errors, commonReferences),
    }
  }

  const tags = new Set(['health', ...routes.map(({ path }) => nameTag(path))])
  return JSON.stringify({
    openapi: '3.1.1',
    info,
    servers: [{ url: '/', description: 'The environment that serves this document: local, staging or production' }],
    tags: [...tags].map((name) => ({ name, description: `Operations of the group ${name}` })),
    paths: { ...renderPaths(probes, describeProbe), ...renderPaths(routes, describeOperation) },
    components: {
      schemas: { Problem: renderSchema(PROBLEM, 'output') },
      headers: renderHeaders({ ...commonHeaders, ...RETRY_AFTER }),
      securitySchemes: guard?.schemes,
    },
  })
}

/** Returns the name of the resource in a path such as `/v1/items/:id`. */
const nameTag = (path: string): string => /^\/v\d+\/([^/]+)/.exec(path)?.[1] ?? 'service'

function renderPaths(
  routes: readonly DescribedRoute[],
  describe: (operation: OperationDescription, path: string) => Json,
): Json {
  const paths = routes.map(({ path, ...operations }) => {
    const methods = METHODS.map((method) => [method, operations[method] && describe(operations[method], path)])
    return [path.replaceAll(/:(\w+)/g, '{$1}'), Object.fromEntries(methods)]
  })
  return Object.fromEntries(paths)
}

function renderOperation(operation: OperationDescription, errors: Json, commonHeaders: Json): Json {
  const { id, summary, params, query, headers, body, responses } = operation
  return {
    operationId: id,
    summary,
    parameters: [
      ...renderParameters('path', params),
      ...renderParameters('query', query),
      ...renderParameters('header', headers),
    ],
    requestBody: body && renderBody(body),
    responses: { ...errors, ...mapValues(responses, (response) => renderResponse(response, commonHeaders)) },
  }
}

/** Renders each property of an object schema as a parameter. */
function renderParameters(place: 'path' | 'query' | 'header', schema: Schema | undefined): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = renderSchema(schema, 'input')
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json
    return { name, in: place, required: place === 'path' || required.includes(name), description, schema: rest }
  })
}

const SCHEMA_MEDIA_TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' }

function renderBody(body: BodyDescription): Json {
  const content =
    'schema' in body
      ? { [SCHEMA_MEDIA_TYPES[body.type]]: { schema: renderSchema(body.schema, 'input') } }
      : renderMediaTypes(body.mediaTypes)
  return { required: true, content }
}

const renderMediaTypes = (types: readonly string[]): Json => Object.fromEntries(types.map((type) => [type, {}]))

function renderResponse(response: ResponseDescription, commonHeaders: Json): Json {
  const { description, schema, example, mediaTypes = [], headers = {} } = response
  const content = {
    ...(schema && { 'application/json': { schema: renderSchema(schema(), 'output'), example } }),
    ...renderMediaTypes(mediaTypes),
  }
  return {
    description,
    headers: { ...commonHeaders, ...renderHeaders(headers) },
    ...(Object.keys(content).length > 0 && { content }),
  }
}

/** Codes of the errors that reading a body throws. */
const BODY_PROBLEMS: Readonly<Record<BodyDescription['type'], readonly ProblemCode[]>> = (() => {
  const stream = ['incomplete_body', 'body_too_large', 'unsupported_media_type'] as const
  const raw = [...stream, 'unsupported_encoding'] as const
  const form = [...raw, 'unsupported_charset'] as const
  return { stream, raw, form, json: [...form, 'malformed_json'] }
})()

/** Lists the codes of an operation, and the codes that follow from its schemas. */
function listProblems({ params, query, headers, body, problems = [] }: OperationDescription): ProblemCode[] {
  const codes = [...problems]
  if (params) codes.push('malformed_path', 'not_found')
  if (query ?? headers ?? (body && 'schema' in body)) codes.push('invalid_input')
  if (body) codes.push(...BODY_PROBLEMS[body.type])
  return codes
}

/** Renders one response for each status, with an example for each of its codes. */
function renderProblems(codes: readonly ProblemCode[], problems: ProblemTable<ProblemCode>, headers: Json): Json {
  const byStatus = Object.groupBy(new Set(codes), (code) => problems[code].status)
  return mapValues(byStatus, (group = [], status) => {
    const examples = group.map((code) => [code, renderProblemExample(code, problems)])
    const isTemporary = status === '429' || group.some((code) => problems[code].retryAfterSeconds !== undefined)
    const schema = { $ref: '#/components/schemas/Problem' }
    return {
      description: group.join(', '),
      headers: isTemporary ? { ...headers, ...referTo(RETRY_AFTER) } : headers,
      content: { 'application/problem+json': { schema, examples: Object.fromEntries(examples) } },
    }
  })
}

const FIELD_ERROR = { in: 'body', field: 'title', message: 'Invalid input: expected string, received undefined' }

function renderProblemExample(code: ProblemCode, problems: ProblemTable<ProblemCode>): Json {
  const errors = code === 'invalid_input' ? [FIELD_ERROR] : undefined
  const value = JSON.parse(renderProblem(code, problems[code], '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90', errors))
  return { summary: problems[code].detail, value }
}

const text = (maxLength: number, pattern = /^[\s\S]*$/) => z.string().max(maxLength).regex(pattern)

const PROBLEM = z.object({
  type: z.literal('about:blank'),
  title: text(100),
  status: z.int().min(400).max(599),
  detail: text(500),
  code: text(100, /^[a-z][a-z_]*$/),
  requestId: text(128, /^[A-Za-z0-9._-]+$/),
  errors: z
    .array(z.object({ in: z.enum(['query', 'headers', 'body']), field: text(MAX_TEXT), message: text(MAX_TEXT) }))
    .max(MAX_ERRORS)
    .optional(),
})

/** Any text that a header can carry. */
const HEADER_TEXT = { type: 'string', maxLength: 8_192, pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$' }

const RETRY_AFTER = { 'Retry-After': 'Seconds until a retry makes sense' }

const renderHeaders = (headers: Descriptions): Json =>
  mapValues(headers, (description) => ({ description, schema: HEADER_TEXT }))

const referTo = (headers: Descriptions): Json =>
  mapValues(headers, (_description, name) => ({ $ref: `#/components/headers/${name}` }))

/** Longest text of each format. */
const MAX_LENGTHS: Readonly<Record<string, number>> = { uuid: 36, date: 10, 'date-time': 35 }

/** Adds the limits that follow from a format or a range, because client generators and gateways use them. */
function addLimits({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { type, format = '', minimum = -Infinity, maximum = Infinity } = jsonSchema
  if (type === 'integer') jsonSchema.format ??= minimum >= -(2 ** 31) && maximum < 2 ** 31 ? 'int32' : 'int64'
  const maxLength = MAX_LENGTHS[format]
  if (type === 'string' && maxLength !== undefined) jsonSchema.maxLength ??= maxLength
}

/** Renders the values that a schema accepts (`input`) or returns (`output`). */
function renderSchema(schema: Schema, io: 'input' | 'output'): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, override: addLimits })
  return rest
}

function mapValues<T>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => unknown): Json {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]))
}
