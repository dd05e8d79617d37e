import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { startAlerting } from '../../test/support/deploy/start-alerting.ts'
import { listen } from '../../test/support/listen.ts'

/** An alert of Prometheus with its rule of the responder. */
export interface Reaction {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly action: object
  readonly cooldownSeconds: number
}

export interface ResponderOptions {
  readonly directory: string
  /** `host:port` of the metrics of each instance. */
  readonly targets: readonly string[]
  readonly reaction: Reaction
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** Starts Prometheus, Alertmanager and the responder with one alert and its rule. */
export async function startResponder({ directory, targets, reaction, env }: ResponderOptions) {
  const { alert, expr, action, cooldownSeconds } = reaction
  const alerts = {
    groups: [{ name: 'healing-respond', rules: [{ alert, expr, for: reaction.for, labels: { respond: 'true' } }] }],
  }
  const rules = {
    maxActionsPerHour: 1_000,
    rules: [{ name: 'healing', match: { alertname: alert }, action, cooldownSeconds }],
  }
  writeFileSync(join(directory, 'rules.json'), JSON.stringify(rules))
  const alerting = await startAlerting({
    directory,
    targets,
    alerts: JSON.stringify(alerts),
    times: { scrape: '5s', window: '15s', for: reaction.for, repeat: '5s' },
  })
  const responder = await alerting.startResponder(env)
  return {
    responder,
    async stop(): Promise<void> {
      responder.signal('SIGTERM')
      await responder.ended
      await alerting.stop()
    },
  }
}

/**
 * Starts a stand-in for systemctl, because the instances are processes of this program. The responder runs it like
 * the real one. `onCommand` gets the arguments and resolves with the exit code, or with the output of a success.
 *
 * @returns the environment in which the responder finds the stand-in
 */
export async function startSystemctl(
  directory: string,
  onCommand: (args: readonly string[]) => Promise<number | string>,
) {
  const server = createServer(async (request, response) => {
    const args = (await text(request)).split(' ')
    const result = await onCommand(args)
    response.end(typeof result === 'number' ? `${result}\n` : `0\n${result}\n`)
  })
  const { url, stop } = await listen(server)
  const folder = join(directory, 'bin')
  mkdirSync(folder)
  const file = join(folder, 'systemctl')
  const call = `curl -sS --data "$*" ${url}/`
  writeFileSync(file, `#!/bin/sh\n${call} | { read -r code; cat; exit "$code"; }\n`)
  chmodSync(file, 0o755)
  return {
    env: { PATH: `${folder}:${process.env['PATH']}` },
    stop,
  }
}

/** Starts a responder. It reports an alert to a stand-in for the group robot of WeCom when `expr` has held for 5 s. */
export async function startReports({
  alert,
  expr,
  ...options
}: Pick<ResponderOptions, 'directory' | 'targets'> & Pick<Reaction, 'alert' | 'expr'>) {
  const messages: { readonly at: number; readonly content: string }[] = []
  const server = createServer(async (request, response) => {
    const { markdown } = (await json(request)) as { markdown: { content: string } }
    messages.push({ at: Date.now(), content: markdown.content })
    response.end('{"errcode":0,"errmsg":"ok"}')
  })
  const robot = await listen(server)
  const responder = await startResponder({
    ...options,
    env: { RESPONDER_WECOM_URL: `${robot.url}/send?key=healing` },
    reaction: { alert, expr, for: '5s', action: { type: 'notify' }, cooldownSeconds: 60 },
  })
  return {
    /** Counts the messages that contain the word. */
    count: (word: string) => messages.filter(({ content }) => content.includes(word)).length,
    /** Returns the time of the first message that contains the word, in milliseconds since the epoch, or NaN. */
    firstAt: (word: string) => messages.find(({ content }) => content.includes(word))?.at ?? Number.NaN,
    async stop(): Promise<void> {
      await responder.stop()
      await robot.stop()
    },
  }
}
