/** Removes the services of a compose file that mount a folder of deploy/ which does not exist. */
export function dropServices(text: string, exists: (folder: string) => boolean): string {
  const [before = '', services, after = ''] = text.split(/^(?:services:\n)|^(?=volumes:\n)/m)
  if (services === undefined) return text
  // A service begins with its comments.
  const blocks = services.trimEnd().split(/\n\n(?= {2}\S)/)
  const isKept = (block: string) =>
    [...block.matchAll(/\.\/(deploy\/[^/:]+)/g)].every(([, folder = '']) => exists(folder))
  const kept = blocks.filter(isKept)
  // The first lines explain the profiles.
  const profiles = kept.some((block) => block.includes('profiles:'))
    ? before
    : before.replace(/^# {3}--profile.*\n/gm, '')
  return `${profiles}services:\n${kept.join('\n\n')}\n\n${after}`
}
