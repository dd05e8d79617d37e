/* Optional code that makes responses fast. The service behaves the same without each of these functions. */
export { deferConstantHeaders } from './constant-headers.ts'
export { readJsonAtOnce } from './json-body.ts'
export { sendJsonAtOnce } from './json-response.ts'
export { adoptMessageClasses, createMessageClasses, type MessageClasses } from './messages.ts'
