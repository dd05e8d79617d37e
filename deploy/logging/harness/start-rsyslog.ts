import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endWithThisProcess } from '../../../scripts/services/service.ts'
import { copyWith } from '../../../test/support/deploy/directories.ts'
import { until } from '../../../test/support/services.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { missingTools, needTools } from '../../../test/support/tools.ts'

const PACKAGES = 'rsyslog rsyslog-kafka'

/** Debian's directory of the modules depends on the processor. */
const hasKafka = () => globSync('/usr/lib/{,*/}rsyslog/omkafka.so').length > 0

/** Installs rsyslog with its module for Kafka. The machine may have rsyslog without the module. */
async function needRsyslog(): Promise<void> {
  const problem = hasKafka() ? undefined : await missingTools(['omkafka.so'], PACKAGES)
  if (!hasKafka()) throw new Error(problem)
  await needTools(['rsyslogd'], PACKAGES)
}

/** A Debian rsyslogd that ships one file. */
export interface Rsyslog {
  /** The file that rsyslog reads. */
  readonly file: string
  /** Returns the messages of rsyslog itself since the first start. */
  messages(): string
  start(): Promise<void>
  /** Stops as systemd does. Resolves when the process has ended. */
  stop(): Promise<void>
  kill(): Promise<void>
}

/** Starts rsyslog with the file of this folder. Changes only the addresses, the topic and the paths. */
export async function startRsyslog({ broker, topic }: { broker: string; topic: string }): Promise<Rsyslog> {
  await needRsyslog()
  const directory = temporaryDirectory('rsyslog')
  const at = (name: string) => join(directory, name)
  const file = at('app.log')
  appendFileSync(file, '')
  mkdirSync(at('spool'))
  copyWith('deploy/logging', at('conf'), {
    'rsyslog.conf': [
      ['file="/var/log/my-service/app.log"', `file="${file}"`],
      ['broker=["127.0.0.1:9092"]', `broker=["${broker}"]`],
      ['topic="my-service-logs"', `topic="${topic}"`],
      ['"/var/spool/rsyslog/kafka.failed"', `"${at('spool/kafka.failed')}"`],
    ],
  })
  const main = at('main.conf')
  writeFileSync(
    main,
    `global(workDirectory="${at('spool')}" processInternalMessages="on")
include(file="${at('conf/rsyslog.conf')}")
action(type="omfile" file="${at('messages')}")
`,
  )
  const messages = () => (existsSync(at('messages')) ? readFileSync(at('messages'), 'utf8') : '')

  async function launch() {
    const started = () => messages().split(/x-info="\S+"\] start$/m).length
    const before = started()
    const args = ['-n', '-f', main, '-i', at('pid')]
    const child = spawn('rsyslogd', args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
    await once(child, 'spawn')
    const guard = endWithThisProcess(child.pid ?? 0, 'SIGKILL')
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    const closed = once(child, 'close').then(() => guard.kill('SIGKILL'))
    await until(() => {
      if (child.exitCode !== null) throw new Error(`rsyslogd ended:\n${errors}`)
      return started() > before
    }, 60_000)
    return {
      async end(signal: NodeJS.Signals) {
        child.kill(signal)
        await closed
      },
    }
  }

  let running = await launch()
  return {
    file,
    messages,
    async start() {
      running = await launch()
    },
    stop: () => running.end('SIGTERM'),
    kill: () => running.end('SIGKILL'),
  }
}
