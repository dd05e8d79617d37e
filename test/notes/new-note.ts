import type { NoteFields } from '../../internal/service/notes.ts'
import type { DescribedService } from '../support/described.ts'

type Values = Readonly<Record<keyof NoteFields, unknown>>

let number = 0

/** Returns different values at each call. */
export async function newNote(_service: DescribedService): Promise<Values> {
  number += 1
  return { title: `title ${number}`, text: `text ${number}` }
}

/** Values that the operations refuse. */
export const wrongNote: Values = { title: 7, text: 7 }
