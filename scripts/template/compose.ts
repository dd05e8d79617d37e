const findFolders = (block: string) => [...block.matchAll(/\.\/(deploy\/[^/:]+)/g)].map(([, folder = '']) => folder)
const findProfile = (block: string) => /^ {4}profiles: \[(\w+)\]/m.exec(block)?.[1]

/**
 * Removes the services of a compose file that mount a folder of deploy/ which does not exist, and the other services of a
 * profile without any such folder.
 */
export function dropServices(text: string, exists: (folder: string) => boolean): string {
  const [before = '', services, after = ''] = text.split(/^(?:services:\n)|^(?=volumes:\n)/m)
  if (services === undefined) return text
  // A service begins with its comments.
  const blocks = services.trimEnd().split(/\n\n(?= {2}\S)/)
  const complete = blocks.filter((block) => findFolders(block).every(exists))
  const profiles = new Set(complete.filter((block) => findFolders(block).length > 0).map(findProfile))
  const hasProfile = (profile: string | undefined) => profile === undefined || profiles.has(profile)
  const kept = complete.filter((block) => hasProfile(findProfile(block)))
  // The first lines explain the profiles.
  const head = before.replace(/^# {3}--profile (\w+).*\n/gm, (line, profile) => (hasProfile(profile) ? line : ''))
  return `${head}services:\n${kept.join('\n\n')}\n\n${after}`
}
