export { createLogger, type Logger } from './logger.ts'
export { createOutput } from './output.ts'
