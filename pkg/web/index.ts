export { type AccessLogOptions, accessLog } from './access-log.ts'
export { answerClientErrors, type ClientErrorOptions } from './client-errors.ts'
export { type CorsOptions, cors } from './cors.ts'
export { html, type Markup } from './html.ts'
export { type JsonBodyOptions, jsonBody } from './json-body.ts'
export { type Messages, messagesFor } from './messages.ts'
export { type Operation, type OperationDescription, operation } from './operation.ts'
export { prefersHtml } from './prefers-html.ts'
export {
  answerProblem,
  failure,
  HTTP_ERRORS,
  type HttpErrorTable,
  notFound,
  type ProblemOptions,
  problemHandler,
} from './problem.ts'
export { type Count, type Counter, localCounter, sharedCounter, WINDOW_MS } from './rate-counter.ts'
export { type RateLimitOptions, rateLimit } from './rate-limit.ts'
export { createRequestContext, type RequestContext } from './request-context.ts'
export { requestTarget } from './request-target.ts'
export { type Route, route } from './route.ts'
export { pageHeaders, pagePolicy, securityFields, securityHeaders } from './security-headers.ts'
