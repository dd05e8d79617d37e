import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, launch } from '../../../scripts/services/service.ts'
import { installJars, JAVA_OPTIONS } from '../../../test/support/maven.ts'
import { run, succeed } from '../../../test/support/run.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { debianTool } from '../../../test/support/tools.ts'

export interface KafkaRecord {
  readonly partition: number
  readonly key: string
  readonly value: string
}

/** A Kafka broker in KRaft mode, which keeps its port and its data when it restarts. */
export interface Kafka {
  readonly address: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Reads all records of a topic, in the order of each partition. @returns none when the topic does not exist */
  read(topic: string): Promise<readonly KafkaRecord[]>
}

/**
 * The id of the cluster has 16 bytes. It must not start with a dash, because the tool would mistake it for an option.
 */
const CLUSTER = Buffer.from('logging pipeline').toString('base64url')

/** Ends a record in the output of kcat. JSON escapes this character. */
const SEPARATOR = '\u001E'

export async function startKafka(): Promise<Kafka> {
  const jars = await installJars(join(import.meta.dirname, 'kafka'))
  const kcat = await debianTool('kcat', 'kcat')
  const directory = temporaryDirectory('kafka')
  const address = `127.0.0.1:${await freePort()}`
  const controller = `127.0.0.1:${await freePort()}`
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${address},CONTROLLER://${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    'num.partitions': '3',
    'offsets.topic.replication.factor': '1',
    'log.message.timestamp.type': 'LogAppendTime',
  }
  const file = join(directory, 'server.properties')
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const java = [...JAVA_OPTIONS, '-cp', jars]
  await succeed('java', [...java, 'kafka.tools.StorageTool', 'format', '--cluster-id', CLUSTER, '--config', file])

  const start = () =>
    launch({
      command: 'java',
      args: [...java, 'kafka.Kafka', file],
      readyPattern: /Kafka Server started/,
      logFile: join(directory, 'kafka.log'),
      stopSignal: 'SIGTERM',
    })
  let running = await start()
  return {
    address,
    async start() {
      running = await start()
    },
    stop: () => running.stop(),
    async read(topic) {
      const format = `%p\\t%k\\t%s${SEPARATOR}`
      const { stdout } = await run(kcat, [
        '-C',
        '-q',
        '-e',
        '-b',
        address,
        '-t',
        topic,
        '-o',
        'beginning',
        '-f',
        format,
      ])
      return stdout
        .split(SEPARATOR)
        .slice(0, -1)
        .map((record) => {
          const [partition = '', key = '', ...value] = record.split('\t')
          return { partition: Number(partition), key, value: value.join('\t') }
        })
    },
  }
}
