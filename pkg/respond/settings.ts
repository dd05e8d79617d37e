import { randomUUID } from 'node:crypto'
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import type { Action } from './rules.ts'

/** The values of SETTINGS_FILE. */
export type Content = Readonly<Record<string, unknown>>

/** A temporary change of one setting. */
export interface Override {
  readonly id: string
  readonly setting: 'UPSTREAM_OPEN' | 'FEATURES' | 'RATE_LIMIT'
  /** The opened upstream, the removed feature, or the limit. */
  readonly value: string
  /** Milliseconds since the epoch. */
  readonly until: number
  /** Length of the change. Absent in the state of an earlier version. */
  readonly seconds?: number | undefined
  /** The value of the setting in the file before the change. Absent when the file did not have the setting. */
  readonly base?: string | number | boolean | undefined
}

/** The values of the environment, which apply to settings that the file does not have. */
export interface Defaults {
  readonly UPSTREAM_OPEN: readonly string[]
  readonly FEATURES: readonly string[]
}

/** Returns the setting and the value that an action changes, or undefined for other actions. */
export function findChange(action: Action): Pick<Override, 'setting' | 'value'> | undefined {
  if (action.type === 'open_breaker') return { setting: 'UPSTREAM_OPEN', value: action.upstream }
  if (action.type === 'feature_off') return { setting: 'FEATURES', value: action.feature }
  if (action.type === 'rate_limit') return { setting: 'RATE_LIMIT', value: String(action.perMinute) }
  return undefined
}

const isSame = (a: Override, b: Pick<Override, 'setting' | 'value'>) =>
  a.setting === b.setting && (a.setting === 'RATE_LIMIT' || a.value === b.value)

/**
 * Returns the value to restore. A change on top of another change of the responder restores the operator's value.
 *
 * @throws when the value in the file is a list, an object or null
 */
export function findBase(
  content: Content,
  change: Pick<Override, 'setting' | 'value'>,
  active: readonly Override[],
): Override['base'] {
  const earlier = active.find((each) => isSame(each, change))
  if (earlier !== undefined) return earlier.base
  const value = content[change.setting]
  if (value === undefined || ['string', 'number', 'boolean'].includes(typeof value)) return value as Override['base']
  // The service rejects such a value too. In the state file, it would prevent the next start.
  throw new Error(`${change.setting} in SETTINGS_FILE is neither a text nor a number`)
}

function parseList(value: unknown, defaults: readonly string[]): readonly string[] {
  if (value === undefined) return defaults
  return String(value)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '' && item !== 'none')
}

/** An empty value of FEATURES would mean the default. */
const printList = (setting: string, list: readonly string[]) =>
  list.length === 0 && setting === 'FEATURES' ? 'none' : list.join(',')

/** Returns the values with the change. */
export function applyOverride(content: Content, { setting, value }: Override, defaults: Defaults): Content {
  if (setting === 'RATE_LIMIT') return { ...content, [setting]: Number(value) }
  const others = parseList(content[setting], defaults[setting]).filter((item) => item !== value)
  return { ...content, [setting]: printList(setting, setting === 'FEATURES' ? others : [...others, value]) }
}

/**
 * Returns the values without the change. Changes that an operator has made in the meantime stay, and so does a value
 * that another change in `active` needs.
 */
export function revertOverride(
  content: Content,
  override: Override,
  active: readonly Override[],
  defaults: Defaults,
): Content {
  const { setting, value, base } = override
  const { [setting]: current, ...rest } = content
  if (current === undefined) return content
  const newer = active.find((each) => isSame(each, override))
  if (setting === 'RATE_LIMIT') {
    if (String(current) !== value) return content
    if (newer !== undefined) return { ...content, [setting]: Number(newer.value) }
    return base === undefined ? rest : { ...content, [setting]: base }
  }
  if (newer !== undefined) return content
  const list = parseList(current, [])
  const before = parseList(base, defaults[setting])
  // The setting already had the value before the change.
  if (before.includes(value) === (setting === 'UPSTREAM_OPEN')) return content
  const others = list.filter((item) => item !== value)
  const next = setting === 'UPSTREAM_OPEN' ? others : [...others, value]
  if (base === undefined && next.toSorted().join() === defaults[setting].toSorted().join()) return rest
  return { ...content, [setting]: printList(setting, next) }
}

/**
 * Replaces a file in one step, so that a reader sees either the old or the new text. Keeps its mode and its owner, and
 * follows symbolic links. @throws when the owner cannot be kept, because the service could then not read the file
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const before = await stat(target).catch(() => undefined)
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      if (before !== undefined) {
        const { uid, gid } = await file.stat()
        if (uid !== before.uid || gid !== before.gid) await file.chown(before.uid, before.gid)
        await file.chmod(before.mode & 0o777)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Reads SETTINGS_FILE. @throws when it is not a JSON object; the message contains none of its text */
export async function readContent(path: string): Promise<Content> {
  const text = await readFile(path, 'utf8')
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    throw new Error('SETTINGS_FILE is not a JSON file')
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new Error('SETTINGS_FILE is not a JSON object')
  }
  return content as Content
}

/** Writes SETTINGS_FILE, unless nothing has changed. */
export async function writeContent(path: string, before: Content, after: Content): Promise<void> {
  if (JSON.stringify(before) !== JSON.stringify(after)) {
    await replaceFile(path, `${JSON.stringify(after, null, 2)}\n`)
  }
}
