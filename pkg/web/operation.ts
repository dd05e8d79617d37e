import type { RequestHandler } from 'express'
import type * as z from 'zod/mini'

export type Schema = z.ZodMiniType

export interface Answer {
  readonly description: string
  /** Of the body. Called for the document only: a start does not pay for what it may never show. */
  readonly schema?: () => Schema
  readonly example?: unknown
  /** Header fields by name, and what they say. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What one method of a path takes and answers, for the checks before its handler and for the document of the service. */
export interface OperationDescription {
  /** Unique in the service: the name of the function in a client that is made from the document. */
  readonly id: string
  readonly summary: string
  readonly params?: Schema
  readonly query?: Schema
  readonly headers?: Schema
  readonly body?: Schema
  readonly responses: Readonly<Record<number, Answer>>
  /** Codes of the errors that are this operation's own: those that its schemas cause are known. */
  readonly problems?: readonly string[]
}

export interface Operation extends OperationDescription {
  /** Finds the parsed values where it looks for the raw ones: in `req.params`, `req.query` and `req.body`. */
  readonly handler: RequestHandler
}

type Parsed<S, Otherwise> = S extends Schema ? z.output<S> : Otherwise

type Body<R> = {
  [Status in keyof R]: R[Status] extends { readonly schema: () => infer S } ? Parsed<S, never> : never
}[keyof R]

type TypedOperation<P, Q, B, R> = Omit<OperationDescription, 'params' | 'query' | 'body' | 'responses'> & {
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly responses: R
  readonly handler: RequestHandler<Parsed<P, unknown>, Body<R>, Parsed<B, unknown>, Parsed<Q, unknown>>
}

/** An operation whose handler has the types of its schemas. */
export function operation<
  R extends OperationDescription['responses'],
  P extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  B extends Schema | undefined = undefined,
>(typed: TypedOperation<P, Q, B, R>): Operation {
  return typed as unknown as Operation
}
