/** Lists the spellings of a name in texts and code: `my-service`, `MY_SERVICE`, `MyService`, `My service`… */
function listSpellings(name: string): readonly string[] {
  const words = name.split('-')
  const capitals = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  const sentence = [...capitals.slice(0, 1), ...words.slice(1)]
  const camel = [...words.slice(0, 1), ...capitals.slice(1)]
  return ['-', '_', ' ', ''].flatMap((separator) => [
    ...[words, sentence, capitals, camel].map((each) => each.join(separator)),
    words.join(separator).toUpperCase(),
  ])
}

/** Creates a function that renames texts and paths in one pass, so that a new name may contain the old name. */
export function createRenamer(from: string, to: string): (text: string) => string {
  const after = listSpellings(to)
  const pairs = listSpellings(from).map((spelling, index) => [spelling, after[index] ?? to] as const)
  // When two spellings are equal, the first pair applies.
  const replacements = new Map(pairs.toReversed())
  const pattern = new RegExp([...replacements.keys()].join('|'), 'g')
  return (text) => text.replace(pattern, (spelling) => replacements.get(spelling) ?? spelling)
}
