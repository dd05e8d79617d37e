export { createLogger, type Logger, type LoggerOptions } from './logger.ts'
export { createOutput, type Output, type OutputOptions } from './output.ts'
