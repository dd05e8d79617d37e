export { type AccessLogOptions, accessLog } from './access-log.ts'
export { answerClientErrors, type ClientErrorOptions } from './client-errors.ts'
export { type JsonBodyOptions, jsonBody } from './json-body.ts'
export {
  HTTP_ERRORS,
  type HttpErrorTable,
  notFound,
  type ProblemOptions,
  problemDocument,
  problemHandler,
} from './problem.ts'
export { createRequestContext, type RequestContext } from './request-context.ts'
export { requestId } from './request-id.ts'
export { type Methods, route } from './route.ts'
export { securityHeaders } from './security-headers.ts'
