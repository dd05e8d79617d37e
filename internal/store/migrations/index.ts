import * as updatedAt from './0001-updated-at.ts'

/** In the order of their names, which is the order they are applied in. Never change one that has landed. */
export const migrations: Readonly<Record<string, { readonly up: string }>> = {
  '0001-updated-at': updatedAt,
}
