import * as updatedAt from './0001-updated-at.ts'
import * as notes from './0002-notes.ts'

/** In the order of their names, which is the order they are applied in. Never change one that has landed. */
export const migrations: Readonly<Record<string, { readonly up: string }>> = {
  '0001-updated-at': updatedAt,
  '0002-notes': notes,
}
