import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

interface Media {
  /** Unset: the body is not JSON. */
  readonly schema?: object
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

export interface DescribedOperation {
  readonly operationId: string
  readonly parameters?: readonly { readonly description?: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>
}

/** The properties of /openapi.json that the tests read. */
export interface OpenapiDocument {
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
}

export type Examine = (schema: object, value: unknown) => readonly ErrorObject[]

/** Returns the errors of a value by a schema of the document. */
export function createExaminer(document: OpenapiDocument): Examine {
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema({ ...document, $id: 'service' })
  return (schema, value) => {
    const check = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"service#/')))
    check(value)
    return check.errors ?? []
  }
}
