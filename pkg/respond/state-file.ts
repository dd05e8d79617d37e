import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { EMPTY_STATE, type State } from './decide.ts'
import { replaceFile } from './settings.ts'

const time = z.number().nonnegative()

const schema = z.object({
  version: z.literal(1),
  acted: z.record(z.string(), time),
  cooldowns: z.record(z.string(), time),
  actions: z.array(time),
  overrides: z.array(
    z.object({
      id: z.string(),
      setting: z.enum(['UPSTREAM_OPEN', 'FEATURES', 'RATE_LIMIT']),
      value: z.string(),
      until: time,
      seconds: time.optional(),
      base: z.union([z.string(), z.number(), z.boolean()]).optional(),
    }),
  ),
  pending: z.array(
    z.object({
      id: z.string(),
      rule: z.string(),
      alert: z.string(),
      fingerprint: z.string(),
      target: z.string(),
      actedAt: time,
      deadline: time.optional(),
      query: z.string(),
    }),
  ),
})

/**
 * Keeps the state in a file. `load` returns an empty state when the file does not exist.
 *
 * @throws when the file has another content: without its cool-downs, the responder could repeat its actions
 */
export function createStateFile(path: string) {
  return {
    load(): State {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_STATE
        throw error
      }
      try {
        const { version: _, ...state } = schema.parse(JSON.parse(text))
        return state
      } catch (cause) {
        throw new Error(`${path} is not a state of the responder: repair or remove it`, { cause })
      }
    },
    save: (state: State) => replaceFile(path, `${JSON.stringify({ version: 1, ...state })}\n`),
  }
}
