/* openapi.ts is imported by its path: only a request for the document loads it. */
export {
  type Operation,
  type OperationDescription,
  operation,
  type Priority,
  type ResponseDescription,
} from './operation.ts'
export { type Route, type RouteOptions, registerRoute } from './route.ts'
