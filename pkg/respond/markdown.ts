/** WeCom rejects longer messages: https://developer.work.weixin.qq.com/document/path/91770 */
const MAX_BYTES = 4_096
/** More parts would use up the quota of the robot. */
const MAX_PARTS = 5

/** Returns a text of an alert as one line without markup, and cuts it to `maxLength` characters. */
export function plain(text: string, maxLength = 200): string {
  const short = text.slice(0, 4 * maxLength).toWellFormed()
  const line = short.replaceAll(/[<>*_`[\]()#@\\]/g, '').replaceAll(/[\s\p{Cc}]+/gu, ' ')
  return Array.from(line).slice(0, maxLength).join('').trim()
}

/** Splits a text into parts of at most `maxBytes` bytes of UTF-8, between lines when possible, never in a character. */
export function splitMarkdown(text: string, maxBytes = MAX_BYTES): string[] {
  const parts: string[] = []
  let part = ''
  let bytes = 0
  const finish = () => {
    if (part !== '') parts.push(part)
    part = ''
    bytes = 0
  }
  for (const line of text.split(/(?<=\n)/)) {
    if (bytes + Buffer.byteLength(line) > maxBytes) finish()
    for (const character of line) {
      const size = Buffer.byteLength(character)
      if (bytes + size > maxBytes) finish()
      part += character
      bytes += size
    }
  }
  finish()
  return parts
}

/** Merges the messages that wait, and returns at most five parts. The last part says how many messages are missing. */
export function mergeMessages(messages: readonly string[]): string[] {
  const parts: string[] = []
  let part = ''
  for (const [index, message] of messages.entries()) {
    const text = part === '' ? message : `${part}\n\n${message}`
    // Leave room for the note.
    if (Buffer.byteLength(text) <= MAX_BYTES - 64) {
      part = text
      continue
    }
    parts.push(...splitMarkdown(part))
    if (parts.length >= MAX_PARTS) {
      const kept = parts.slice(0, MAX_PARTS)
      const [last = ''] = splitMarkdown(kept.pop() ?? '', MAX_BYTES - 64)
      return [...kept, `${last}\n\n(${messages.length - index} more messages)`]
    }
    part = message
  }
  return [...parts, ...splitMarkdown(part)].slice(0, MAX_PARTS)
}
