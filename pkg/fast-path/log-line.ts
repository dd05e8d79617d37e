import { type Logger, pino } from 'pino'

// pino documents its symbols for this purpose: https://github.com/pinojs/pino/blob/main/docs/api.md#pino-symbols
const { symbols } = pino

type Render = (this: State, fields: object, message: unknown, level: number, time: string) => string

interface State {
  [symbols.asJsonSym]: Render
  readonly [symbols.chindingsSym]: string
  readonly [symbols.endSym]: string
  readonly [symbols.formattersSym]: { readonly log: (fields: object) => object }
  readonly [symbols.lsCacheSym]: Readonly<Record<number, string>>
  readonly [symbols.messageKeySym]: string
  readonly [symbols.serializersSym]: object
  readonly [symbols.stringifiersSym]: object
}

/**
 * Makes a logger and its children render the fields of a line with one call of `JSON.stringify`. pino calls it for each
 * name and for each value. The logger must have a formatter of fields. pino renders all other lines: of children with
 * serializers or redaction, without a message, or with fields that `JSON.stringify` renders in another form.
 */
export function renderFieldsAtOnce(logger: Logger): void {
  const state = logger as unknown as State
  const render = state[symbols.asJsonSym]
  const serializers = state[symbols.serializersSym]
  const stringifiers = state[symbols.stringifiersSym]

  function renderFields(own: State, fields: object): string | undefined {
    if (own[symbols.serializersSym] !== serializers || own[symbols.stringifiersSym] !== stringifiers) return undefined
    const shown = own[symbols.formattersSym].log(fields)
    if ('toJSON' in shown) return undefined
    try {
      const text = JSON.stringify(shown)
      return text.startsWith('{') ? text.slice(1, -1) : undefined
    } catch {
      return undefined
    }
  }

  state[symbols.asJsonSym] = function renderLine(fields, message, level, time) {
    const text = typeof message === 'string' ? renderFields(this, fields) : undefined
    if (text === undefined) return render.call(this, fields, message, level, time)
    const head = this[symbols.lsCacheSym][level] + time + this[symbols.chindingsSym]
    const end = `,"${this[symbols.messageKeySym]}":${JSON.stringify(message)}${this[symbols.endSym]}`
    return head + (text === '' ? '' : `,${text}`) + end
  }
}
