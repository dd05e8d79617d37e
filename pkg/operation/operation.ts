import type { Readable } from 'node:stream'
import type { RequestHandler } from 'express'
import type * as z from 'zod'
import type { ProblemCode } from '../problem/index.ts'

export type Schema = z.ZodType

export type Priority = 'core' | 'normal' | 'background'

export interface ResponseDescription {
  readonly description: string
  /** Schema of the JSON body. Called only for the OpenAPI document, so that a start does not build it. */
  readonly schema?: () => Schema
  readonly example?: unknown
  /** Media types of a body that is not JSON. */
  readonly mediaTypes?: readonly string[]
  /** Descriptions of response headers, by name. */
  readonly headers?: Readonly<Record<string, string>>
}

type Responses = Readonly<Record<number, ResponseDescription>>

/** How the body of an operation is read. */
export type BodyDescription =
  | { readonly type: 'json' | 'form'; readonly schema: Schema }
  /** `req.body` is a Buffer of the exact bytes, as the signature of a webhook needs them. */
  | { readonly type: 'raw'; readonly mediaTypes: readonly string[]; readonly maxBytes?: number }
  /** `req.body` is a Readable. It fails with `body_too_large` after `maxBytes`, regardless of content-length. */
  | { readonly type: 'stream'; readonly mediaTypes: readonly string[]; readonly maxBytes: number }

/** The contract of one method of a path: the source of its validation and of its part of the OpenAPI document. */
export interface OperationDescription<P = Schema, Q = Schema, B = BodyDescription, R = Responses> {
  /** Unique within the service; client generators use it as the name of a function. */
  readonly id: string
  readonly summary: string
  /** `true` exempts the operation from authentication. @default false */
  readonly public?: boolean
  /** An overloaded service refuses background operations first and core operations last. @default normal */
  readonly priority?: Priority
  readonly params?: P
  readonly query?: Q
  readonly headers?: Schema
  /** Unset: the body is not read. */
  readonly body?: B
  readonly responses: R
  /** Codes of the errors that the handler throws. Those of the schemas, the body and the guard are added. */
  readonly problems?: readonly ProblemCode[]
}

export interface Operation extends OperationDescription {
  /** Receives the parsed values in `req.params`, `req.query` and `req.body`. */
  readonly handler: RequestHandler
}

type Parsed<S, Otherwise> = S extends Schema ? z.output<S> : Otherwise

type ParsedBody<B> = B extends { readonly type: 'raw' }
  ? Buffer
  : B extends { readonly type: 'stream' }
    ? Readable
    : Parsed<B extends { readonly schema: infer S } ? S : B, unknown>

/** A body without a schema has a media type other than JSON. */
type ResponseBody<R> = {
  [Status in keyof R]: R[Status] extends { readonly schema: () => infer S }
    ? Parsed<S, never>
    : R[Status] extends { readonly mediaTypes: readonly string[] }
      ? string | Buffer
      : never
}[keyof R]

interface TypedOperation<P, Q, B, R> extends OperationDescription<P, Q, B, R> {
  readonly handler: RequestHandler<Parsed<P, unknown>, ResponseBody<R>, ParsedBody<B>, Parsed<Q, unknown>>
}

/** Declares an operation. The handler's types follow from the schemas. A schema as `body` means a JSON body. */
export function operation<
  R extends Responses,
  P extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  const B extends Schema | BodyDescription | undefined = undefined,
>({ body, ...operation }: TypedOperation<P, Q, B, R>): Operation {
  const described = body && 'safeParse' in body ? { type: 'json', schema: body } : body
  return { ...operation, ...(described && { body: described }) } as unknown as Operation
}
