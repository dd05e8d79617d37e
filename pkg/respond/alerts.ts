import * as z from 'zod'

const alert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()).default({}),
  // The text becomes a key of the state, so it must be short. The format allows any number of decimals.
  startsAt: z.iso.datetime({ offset: true }).max(64),
  fingerprint: z.string().regex(/^[0-9a-f]{1,64}$/),
})

/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
const payload = z.object({ version: z.literal('4'), alerts: z.array(alert).max(10_000) })

export type Alert = z.output<typeof alert>

/** Returns the alerts of a webhook of Alertmanager, or undefined for any other body. */
export function parseAlerts(body: string): readonly Alert[] | undefined {
  try {
    return payload.parse(JSON.parse(body)).alerts
  } catch {
    return undefined
  }
}

/** Identifies one occurrence of an alert. Alertmanager repeats it in every delivery. */
export const identify = ({ fingerprint, startsAt }: Pick<Alert, 'fingerprint' | 'startsAt'>) =>
  `${fingerprint} ${startsAt}`

/**
 * Returns the PromQL that has a result while the alert fires, or is pending after a restart of Prometheus. Omits long
 * names and values, so that the query stays small.
 */
export function alertQuery(labels: Readonly<Record<string, string>>): string {
  const matchers = Object.entries(labels)
    .filter(([name, value]) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && name.length <= 200 && value.length <= 200)
    .slice(0, 30)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `ALERTS{${matchers.join(',')}}`
}
