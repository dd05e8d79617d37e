/** Returns a function that chooses names in the proportions of their weights, evenly spread. */
export function createChoice(weights: Readonly<Record<string, number>>): () => string {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  const credits = Object.entries(weights).map(([name, weight]) => ({ name, share: weight / total, credit: 0 }))
  return () => {
    for (const each of credits) each.credit += each.share
    const next = credits.reduce((best, each) => (each.credit > best.credit ? each : best))
    next.credit -= 1
    return next.name
  }
}
