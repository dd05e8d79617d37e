/* openapi.ts is imported by its path: only a request for the document loads it. */
export {
  type BodyDescription,
  type Operation,
  type OperationDescription,
  operation,
  type ResponseDescription,
  type Schema,
} from './operation.ts'
export { type Method, type Route, type RouteOptions, registerRoute } from './route.ts'
