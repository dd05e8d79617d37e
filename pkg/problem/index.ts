export { CodedError } from './coded-error.ts'
export { renderProblem, sendProblem, writeProblem } from './document.ts'
export { notFound, problemHandler } from './handler.ts'
export { HTTP_PROBLEMS, type ProblemCode, type ProblemTable } from './table.ts'
