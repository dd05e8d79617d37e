import type { DescribedService } from '../support/described.ts'

let number = 0

/** Returns different values at each call. */
export async function newNote(_service: DescribedService) {
  number += 1
  return { title: `title ${number}`, text: `text ${number}` }
}
