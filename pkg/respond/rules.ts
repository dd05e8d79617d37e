import * as z from 'zod'

/*
 * The names in a rule become arguments of commands and values of SETTINGS_FILE, so each has a narrow pattern. None can
 * start with a dash, so no name can become an option of a command.
 */
const KUBERNETES_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const kubernetesName = () => z.string().regex(KUBERNETES_NAME, 'expected a name of Kubernetes')
const unitName = () =>
  z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected the name of a systemd template, such as app')
const integer = (min: number, max: number) =>
  z
    .int(`expected an integer from ${min} to ${max}`)
    .min(min, `expected at least ${min}`)
    .max(max, `expected at most ${max}`)

/** Longest cool-down and longest time for a recovery: a day. */
export const MAX_SECONDS = 86_400

const hasOneOrchestrator = (action: { readonly kubectl?: unknown; readonly systemd?: unknown }) =>
  (action.kubectl === undefined) !== (action.systemd === undefined)
const ONE_ORCHESTRATOR = 'expected either kubectl or systemd'

const action = z.discriminatedUnion(
  'type',
  [
    /** Adds the upstream to UPSTREAM_OPEN, and removes it after the cool-down. */
    z.strictObject({
      type: z.literal('open_breaker'),
      upstream: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected the name of an upstream'),
    }),
    /** Removes the feature from FEATURES, and adds it again after the cool-down. */
    z.strictObject({
      type: z.literal('feature_off'),
      feature: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected the name of a feature'),
    }),
    /** Sets RATE_LIMIT, and restores it after the cool-down. */
    z.strictObject({ type: z.literal('rate_limit'), perMinute: integer(1, 1_000_000) }),
    /** Adds `by` replicas, up to `max`. With systemd, `first` is the number of the first instance. */
    z
      .strictObject({
        type: z.literal('scale'),
        by: integer(1, 100),
        max: integer(1, 1_000),
        kubectl: z.strictObject({ namespace: kubernetesName(), deployment: kubernetesName() }).optional(),
        systemd: z.strictObject({ unit: unitName(), first: integer(0, 65_535) }).optional(),
      })
      .refine(hasOneOrchestrator, ONE_ORCHESTRATOR),
    /** Deletes the pod in the label `pod`, or restarts the unit whose instance is the port in the label `instance`. */
    z
      .strictObject({
        type: z.literal('restart_instance'),
        kubectl: z.strictObject({ namespace: kubernetesName() }).optional(),
        systemd: z.strictObject({ unit: unitName() }).optional(),
      })
      .refine(hasOneOrchestrator, ONE_ORCHESTRATOR),
    /** Sends a message when the alert fires, and another when it resolves. */
    z.strictObject({ type: z.literal('notify') }),
  ],
  'expected one of open_breaker, feature_off, rate_limit, scale, restart_instance, notify',
)

const rule = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and hyphens'),
  /** Labels and their exact values. All of them must match. */
  match: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'expected the name of a label'), z.string().min(1).max(1_000))
    .refine((labels) => Object.keys(labels).length > 0, 'expected at least one label'),
  action,
  /** Seconds until the rule may act again. A changed setting is restored after this time. */
  cooldownSeconds: integer(1, MAX_SECONDS),
  /** Seconds in which the signal must recover after the action; otherwise the responder escalates. */
  recoverySeconds: integer(1, MAX_SECONDS).default(120),
  /** PromQL that has no result once the signal has recovered. The default is the alert in `ALERTS`. */
  query: z.string().min(1).max(4_000).optional(),
})

const schema = z.strictObject({
  maxActionsPerHour: integer(1, 1_000).default(6),
  rules: z
    .array(rule)
    .min(1, 'expected at least one rule')
    .max(1_000)
    .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, 'expected each name once'),
})

export type Rules = z.output<typeof schema>
export type Rule = Rules['rules'][number]
export type Action = Rule['action']

/** The service whose alerts the rules handle. */
export interface RuleContext {
  readonly hasSettings: boolean
  readonly hasRobot: boolean
  readonly upstreams: readonly string[]
  readonly isFeature: (name: string) => boolean
}

/** Returns the rules, or all problems of the text. */
export function parseRules(
  text: string,
  context: RuleContext,
): { readonly rules?: Rules; readonly problems: string[] } {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    return { problems: ['expected a JSON file'] }
  }
  const result = schema.safeParse(content)
  if (!result.success) {
    return { problems: result.error.issues.map(({ path, message }) => `${describePath(path)}${message}`) }
  }
  const problems = result.data.rules.flatMap(({ name, action }) =>
    findProblems(action, context).map((problem) => `rule ${name}: ${problem}`),
  )
  return { rules: result.data, problems }
}

const describePath = (path: readonly PropertyKey[]) =>
  path.length === 0
    ? ''
    : `${path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')}: `.replace(/^\./, '')

/** The service would reject SETTINGS_FILE with an unknown name, so such a rule must not start. */
function findProblems(action: Action, { hasSettings, hasRobot, upstreams, isFeature }: RuleContext): string[] {
  const problems: string[] = []
  const changesSettings = ['open_breaker', 'feature_off', 'rate_limit'].includes(action.type)
  if (changesSettings && !hasSettings) problems.push(`${action.type} needs SETTINGS_FILE`)
  if (action.type === 'open_breaker' && !upstreams.includes(action.upstream)) {
    problems.push(`${action.upstream} is not in UPSTREAMS (${upstreams.join(', ') || 'which has none'})`)
  }
  if (action.type === 'feature_off' && !isFeature(action.feature))
    problems.push(`there is no feature ${action.feature}`)
  if (action.type === 'notify' && !hasRobot) problems.push('notify needs RESPONDER_WECOM_URL')
  return problems
}
