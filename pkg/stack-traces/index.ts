import { type FindPosition, parseSourceMap } from './source-map.ts'

export interface StackTraceOptions {
  /** The generated file, as stack traces name it. */
  readonly file: string
  /** Returns the source map. Called once, for the first stack trace that contains the file. May throw. */
  readonly readMap: () => string
}

/**
 * Creates a function that replaces each position of `file` in a stack trace with the source position. The paths of
 * sources lose their leading `../`. Never throws: without a valid map, the text stays as it is.
 */
export function createStackTraceMapper({ file, readMap }: StackTraceOptions): (stack: string) => string {
  const escaped = file.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  let positions: RegExp | undefined
  let find: FindPosition | undefined
  /** A service throws from a limited number of positions, so the entries stay few. */
  const known = new Map<string, string>()

  function load(): FindPosition {
    try {
      return parseSourceMap(readMap())
    } catch {
      return () => undefined
    }
  }

  function replace(text: string, before: string, line: string, column: string): string {
    let shown = known.get(text)
    if (shown === undefined) {
      find ??= load()
      const position = find(Number(line), Number(column))
      const path = position?.source.replace(/^(\.\.?\/)+/, '')
      shown = position ? `${before}${path}:${position.line}:${position.column}` : text
      known.set(text, shown)
    }
    return shown
  }

  return function mapStackTrace(stack) {
    // The message comes first. It may contain any text.
    const frames = stack.search(/^ {4}at /m)
    if (frames === -1) return stack
    positions ??= new RegExp(`(?<=^ {4}at.*)([ (])${escaped}:(\\d+):(\\d+)`, 'gm')
    return stack.slice(0, frames) + stack.slice(frames).replace(positions, replace)
  }
}

/**
 * Makes every `stack` show source positions, in logs and in the output of a crash. V8 creates the text of a stack when
 * it is first read, so an error whose stack is never read costs nothing.
 */
export function mapStackTraces(options: StackTraceOptions): void {
  const format = Error.prepareStackTrace
  // Node sets a default from version 21 on.
  if (format === undefined) return
  const map = createStackTraceMapper(options)
  Error.prepareStackTrace = function prepareStackTrace(error, callSites) {
    const stack: unknown = format(error, callSites)
    return typeof stack === 'string' ? map(stack) : stack
  }
}
