import type { Priority } from './priority.ts'

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

/** A path in Express's syntax with the priorities of its operations. */
export type PrioritizedRoute = { readonly path: string } & {
  readonly [method in (typeof METHODS)[number]]?: { readonly priority?: Priority } | undefined
}

type Operations = ReadonlyMap<string, Priority>

/** The paths that begin with the same segments. */
interface Node {
  readonly segments: Map<string, Node>
  /** The paths whose next segment is a parameter. */
  parameter: Node | undefined
  /** The routes that end here, and the routes whose further segments this table does not understand. */
  end: Match | undefined
  rest: Match | undefined
}

interface Match {
  /** Express uses the first route that matches. */
  readonly order: number
  readonly operations: Operations
}

const createNode = (): Node => ({ segments: new Map(), parameter: undefined, end: undefined, rest: undefined })

/**
 * Finds the priority of a request before Express has matched its route. A request for an unknown path or with an
 * unknown method has the priority `background`. A segment with other syntax than `:name`, such as a wildcard, matches
 * the rest of any path.
 */
export function createPriorityTable(routes: readonly PrioritizedRoute[]) {
  const root = createNode()
  /** Most requests have a path without a parameter. */
  const exact = new Map<string, Operations>()

  for (const [order, { path, ...operations }] of routes.entries()) {
    const match = { order, operations: listOperations(operations) }
    let node = root
    let isPlain = true
    // Express ignores a slash at the end.
    for (const segment of path.replace(/\/$/, '').split('/')) {
      if (/^:\w+$/.test(segment)) node = node.parameter ??= createNode()
      else if (/[{}()[\]*+?!:\\]/.test(segment)) isPlain = false
      else node = getOrAdd(node.segments, segment)
      if (!isPlain) break
    }
    if (isPlain) node.end ??= match
    else node.rest ??= match
  }

  /** Returns the first route that matches the path from the index `start` on. */
  function find(node: Node, path: string, start: number): Match | undefined {
    // Express ignores a slash at the end.
    if (start >= path.length) return node.end
    const slash = path.indexOf('/', start)
    const end = slash < 0 ? path.length : slash
    const next = node.segments.get(path.slice(start, end))
    let match = next === undefined ? node.rest : earlier(node.rest, find(next, path, end + 1))
    if (node.parameter !== undefined && end > start) match = earlier(match, find(node.parameter, path, end + 1))
    return match
  }

  for (const { path } of routes) {
    const match = path.includes(':') ? undefined : find(root, path, 0)
    if (match !== undefined) exact.set(path, match.operations)
  }

  /** `url` is a path with an optional query. */
  return function findPriority(method: string, url: string): Priority {
    const query = url.indexOf('?')
    const path = query < 0 ? url : url.slice(0, query)
    const operations = exact.get(path) ?? find(root, path, 0)?.operations
    return operations?.get(method) ?? 'background'
  }
}

function earlier(a: Match | undefined, b: Match | undefined): Match | undefined {
  return a === undefined || (b !== undefined && b.order < a.order) ? b : a
}

function getOrAdd(nodes: Map<string, Node>, segment: string): Node {
  const node = nodes.get(segment) ?? createNode()
  nodes.set(segment, node)
  return node
}

/**
 * HEAD has the priority of GET. OPTIONS has the highest priority of the path, because a browser sends it before the
 * request.
 */
function listOperations(route: Omit<PrioritizedRoute, 'path'>): Operations {
  const operations = new Map<string, Priority>()
  for (const method of METHODS) {
    if (route[method] !== undefined) operations.set(method.toUpperCase(), route[method].priority ?? 'normal')
  }
  const get = operations.get('GET')
  if (get !== undefined) operations.set('HEAD', get)
  const present = new Set(operations.values())
  operations.set('OPTIONS', (['core', 'normal'] as const).find((priority) => present.has(priority)) ?? 'background')
  return operations
}
