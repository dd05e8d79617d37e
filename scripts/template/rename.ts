/** In every way in which text and code write it: `my-service`, my_service, myService, «My service». */
function spellings(name: string): readonly string[] {
  const words = name.split('-')
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)
  const pascal = words.map(capital).join('')
  return [
    name,
    name.toUpperCase(),
    words.join('_'),
    words.join('_').toUpperCase(),
    words.join(' '),
    capital(words.join(' ')),
    words.map(capital).join(' '),
    pascal,
    pascal.charAt(0).toLowerCase() + pascal.slice(1),
    words.join(''),
  ]
}

/** Renames in texts and paths, in one pass: a new name that contains the old one is left alone. */
export function renaming(from: string, to: string): (text: string) => string {
  const after = spellings(to)
  // The first of two spellings that are the same wins.
  const replacements = new Map(
    spellings(from)
      .map((spelling, index) => [spelling, after[index] ?? to] as const)
      .reverse(),
  )
  const pattern = new RegExp([...replacements.keys()].join('|'), 'g')
  return (text) => text.replace(pattern, (spelling) => replacements.get(spelling) ?? spelling)
}
