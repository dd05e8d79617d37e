export { createLogger, type Logger } from './logger.ts'
export { createOutput, type OutputOptions } from './output.ts'
