export { CodedError, type CodedErrorOptions } from './coded-error.ts'
export { renderProblem, type SendProblemOptions, sendProblem } from './document.ts'
export { notFound, type ProblemHandlerOptions, problemHandler } from './handler.ts'
export { HTTP_PROBLEMS, type ProblemCode, type Problems, type ProblemTable, type ProblemType } from './table.ts'
