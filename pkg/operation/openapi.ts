import * as z from 'zod'
import { type ProblemCode, type ProblemTable, renderProblem } from '../problem/index.ts'
import type { BodyDescription, OperationDescription, ResponseDescription, Schema } from './operation.ts'
import { METHODS, type Route } from './route.ts'
import { MAX_ERRORS, MAX_TEXT } from './validate.ts'

type Json = Readonly<Record<string, unknown>>

/** The authentication of every operation that is not public. */
export interface Guard {
  /** Any of these schemes suffices: https://spec.openapis.org/oas/v3.1.1.html#security-scheme-object */
  readonly schemes: Json
  /** Codes of the errors that the guard throws. */
  readonly problems: readonly ProblemCode[]
}

export interface OpenapiOptions {
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly routes: readonly Route[]
  /**
   * GET operations that respond before the router, the guard and the rate limit, by path. They have no errors of their
   * own.
   */
  readonly probes: Readonly<Record<string, OperationDescription>>
  readonly problems: ProblemTable<ProblemCode>
  /** Codes that every operation of the router may return, such as `internal`. */
  readonly commonProblems: readonly ProblemCode[]
  /** Descriptions of the headers that every response of the router may have, by name. */
  readonly commonHeaders: Readonly<Record<string, string>>
  /** @default every operation is public */
  readonly guard?: Guard | undefined
}

/** Renders the OpenAPI 3.1 document of a service as JSON: https://spec.openapis.org/oas/v3.1.1.html */
export function renderOpenapi(options: OpenapiOptions): string {
  const { info, routes, probes, problems, commonProblems, commonHeaders, guard } = options
  const schemes = Object.keys(guard?.schemes ?? {}).map((scheme) => ({ [scheme]: [] }))
  const schemas = createSchemas()
  schemas.render(PROBLEM, 'output')
  const headers = mapValues(commonHeaders, referToHeader)

  function renderProbe(operation: OperationDescription): Json {
    const errors = renderProblems(['bad_request'], problems, {})
    return { get: { tags: ['health'], security: [], ...renderOperation(operation, errors, {}, schemas) } }
  }

  function renderRoute({ path, ...operations }: Route): [string, Json] {
    const methods = METHODS.map((method) => [method, operations[method] && describe(operations[method], path)])
    return [path.replaceAll(/:(\w+)/g, '{$1}'), Object.fromEntries(methods)]
  }

  function describe(operation: OperationDescription, path: string): Json {
    const protection = operation.public ? undefined : guard
    const codes = [...listProblems(operation), ...commonProblems, ...(protection?.problems ?? [])]
    return {
      tags: [nameTag(path, tags)],
      security: protection ? schemes : [],
      ...renderOperation(
        { priority: 'normal', ...operation },
        renderProblems(codes, problems, headers),
        headers,
        schemas,
      ),
    }
  }

  const tags = new Set([...routes.map(({ path }) => nameTag(path)).sort(putServiceLast), 'health'])
  const paths = { ...mapValues(probes, renderProbe), ...Object.fromEntries(routes.map(renderRoute)) }
  return JSON.stringify({
    openapi: '3.1.1',
    info,
    servers: [{ url: '/', description: 'The environment that serves this document: local, staging or production' }],
    tags: [...tags].map((name) => ({ name, description: describeTag(name) })),
    paths,
    components: {
      schemas: Object.fromEntries([...schemas.named].sort(([one], [other]) => (one < other ? -1 : 1))),
      headers: mapValues({ ...commonHeaders, ...RETRY_AFTER }, renderHeader),
      securitySchemes: guard?.schemes,
    },
  })
}

/** The group of the paths without a version. */
const SERVICE = 'service'

/**
 * Returns the name of the resource in a path such as `/v1/items/:id`. A path such as `/v1/owners/:id/items` belongs to
 * `items`, if that is the name of another group.
 */
function nameTag(path: string, groups: ReadonlySet<string> = new Set()): string {
  const [, first = SERVICE, last = ''] = /^\/v\d+\/([^/]+)(?:\/.*?([^/]+)$)?/.exec(path) ?? []
  return groups.has(last) ? last : first
}

/** Pages show the groups in the order of the tags. */
const putServiceLast = (one: string, other: string) => Number(one === SERVICE) - Number(other === SERVICE)

const TAGS: Readonly<Record<string, string>> = {
  health: 'Probes for orchestrators, load balancers and people',
  [SERVICE]: 'Operations of the service itself',
}

const describeTag = (name: string): string => TAGS[name] ?? `Operations on ${name.replaceAll('-', ' ')}`

function renderOperation(operation: OperationDescription, errors: Json, headers: Json, schemas: Schemas): Json {
  const { id, summary, priority, body, responses } = operation
  const { render } = schemas
  return {
    operationId: id,
    summary,
    'x-priority': priority,
    parameters: [
      ...renderParameters('path', operation.params, render),
      ...renderParameters('query', operation.query, render),
      ...renderParameters('header', operation.headers, render),
    ],
    requestBody: body && { required: true, content: renderBody(body, render) },
    responses: { ...errors, ...mapValues(responses, (response) => renderResponse(response, headers, render)) },
  }
}

/** Renders each property of an object schema as a parameter. */
function renderParameters(place: 'path' | 'query' | 'header', schema: Schema | undefined, render: Render): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = render(schema, 'input')
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json
    return { name, in: place, required: place === 'path' || required.includes(name), description, schema: rest }
  })
}

function renderBody(body: BodyDescription, render: Render): Json {
  if (!('schema' in body)) return renderMediaTypes(body.mediaTypes)
  const mediaType = body.type === 'json' ? 'application/json' : 'application/x-www-form-urlencoded'
  return { [mediaType]: { schema: render(body.schema, 'input'), example: findExample(body.schema) } }
}

const renderMediaTypes = (types: readonly string[]): Json => Object.fromEntries(types.map((type) => [type, {}]))

/** Returns the first example in `.meta({ examples: […] })`. */
const findExample = (schema: Schema): unknown => [schema.meta()?.examples].flat()[0]

function renderResponse(response: ResponseDescription, commonHeaders: Json, render: Render): Json {
  const { description, example, mediaTypes = [], headers = {} } = response
  const schema = response.schema?.()
  return {
    description,
    headers: omitEmpty({ ...commonHeaders, ...mapValues(headers, renderHeader) }),
    content: omitEmpty({
      ...(schema && {
        'application/json': { schema: render(schema, 'output'), example: example ?? findExample(schema) },
      }),
      ...renderMediaTypes(mediaTypes),
    }),
  }
}

const omitEmpty = (object: Json): Json | undefined => (Object.keys(object).length > 0 ? object : undefined)

/** Lists the codes of an operation, and the codes that follow from its schemas and its body. */
function listProblems({ params, query, headers, body, problems = [] }: OperationDescription): ProblemCode[] {
  const codes = [...problems]
  if (params) codes.push('malformed_path', 'not_found')
  if (query || headers || (body && 'schema' in body)) codes.push('invalid_input')
  if (body) codes.push('incomplete_body', 'body_too_large', 'unsupported_media_type')
  if (body && body.type !== 'stream') codes.push('unsupported_encoding')
  if (body && 'schema' in body) codes.push('unsupported_charset')
  if (body?.type === 'json') codes.push('malformed_json')
  return codes
}

/** Renders one response for each status, with an example for each of its codes. */
function renderProblems(codes: readonly ProblemCode[], problems: ProblemTable<ProblemCode>, headers: Json): Json {
  const byStatus = Object.groupBy(new Set(codes), (code) => problems[code].status)
  return mapValues(byStatus, (group = [], status) => {
    const examples = group.map((code) => {
      const errors = code === 'invalid_input' ? [FIELD_ERROR] : undefined
      const value = JSON.parse(renderProblem(code, problems[code], REQUEST_ID, errors))
      return [code, { summary: problems[code].detail, value }]
    })
    const isTemporary = status === '429' || group.some((code) => problems[code].retryAfterSeconds !== undefined)
    const schema = { $ref: '#/components/schemas/Problem' }
    return {
      description: group.join(', '),
      headers: omitEmpty({ ...headers, ...(isTemporary && mapValues(RETRY_AFTER, referToHeader)) }),
      content: { 'application/problem+json': { schema, examples: Object.fromEntries(examples) } },
    }
  })
}

const REQUEST_ID = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
const FIELD_ERROR = { in: 'body', field: 'title', message: 'Invalid input: expected string, received undefined' }
const RETRY_AFTER = { 'Retry-After': 'Seconds until a retry makes sense' }
/** Any text that a header can carry. */
const HEADER_TEXT = { type: 'string', maxLength: 8_192, pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$' }

const renderHeader = (description: string): Json => ({ description, schema: HEADER_TEXT })
const referToHeader = (_description: string, name: string): Json => ({ $ref: `#/components/headers/${name}` })

const text = (maxLength: number, pattern = /^[\s\S]*$/) => z.string().max(maxLength).regex(pattern)

const PROBLEM = z
  .object({
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
  .meta({ id: 'Problem' })

/** Longest text of each format. */
const MAX_LENGTHS: Readonly<Record<string, number>> = { uuid: 36, date: 10, 'date-time': 35 }

/** Adds the limits that follow from a format or a range, because client generators and gateways use them. */
function addLimits({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { type, format = '', minimum = -Infinity, maximum = Infinity } = jsonSchema
  if (type === 'integer') jsonSchema.format ??= minimum >= -(2 ** 31) && maximum < 2 ** 31 ? 'int32' : 'int64'
  const maxLength = MAX_LENGTHS[format]
  if (type === 'string' && maxLength !== undefined) jsonSchema.maxLength ??= maxLength
}

type Render = (schema: Schema, io: 'input' | 'output') => z.core.JSONSchema.BaseSchema

interface Schemas {
  /** The schemas with a name: client generators make a type of each. */
  readonly named: ReadonlyMap<string, Json>
  /**
   * Renders the values that a schema accepts (`input`) or returns (`output`). A schema with `.meta({ id: 'Name' })`
   * becomes a reference to its entry in `named`.
   *
   * @throws when two different schemas have the same name
   */
  readonly render: Render
}

function createSchemas(): Schemas {
  const named = new Map<string, Json>()
  return {
    named,
    render(schema, io) {
      const { $schema: _, $defs = {}, ...root } = z.toJSONSchema(schema, { io, override: addLimits })
      for (const [name, definition] of Object.entries($defs)) {
        const moved = moveReferences(definition as Json)
        const before = named.get(name) ?? moved
        if (JSON.stringify(before) !== JSON.stringify(moved)) throw new Error(`two schemas have the name ${name}`)
        named.set(name, moved)
      }
      return moveReferences(root)
    },
  }
}

/** Points the references of a JSON schema to the components of the document. */
function moveReferences<T extends object>(schema: T): T {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$ref' && typeof value === 'string' ? value.replace(/^#\/\$defs\//, '#/components/schemas/') : value,
  )
}

function mapValues<T>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => unknown): Json {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]))
}
