import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { createRegistry, type TestRegistry } from '../../test/discovery/registry.ts'
import { installJars, JAVA_OPTIONS } from '../../test/support/maven.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

const FOLDER = join(import.meta.dirname, 'server')
const USER = 'registry-user'
const PASSWORD = 'password-of-the-tests'

interface Application {
  readonly application: { readonly instance: readonly EurekaInstance[] }
}

interface EurekaInstance {
  readonly ipAddr: string
  readonly status: string
  readonly port: { readonly $: number }
}

/** Starts Spring Cloud's Eureka server without its read-only response cache. */
export async function startEureka(): Promise<TestRegistry> {
  const jars = await installJars(FOLDER)
  const directory = temporaryDirectory('eureka')
  const port = await freePort()
  const settings = [
    `-Dserver.port=${port}`,
    '-Deureka.server.use-read-only-response-cache=false',
    `-Dspring.security.user.name=${USER}`,
    `-Dspring.security.user.password=${PASSWORD}`,
  ]
  const program = join(FOLDER, 'EurekaServer.java')
  const start = () =>
    launch({
      command: 'java',
      args: [...JAVA_OPTIONS, ...settings, '-cp', jars, program],
      readyPattern: /^ready$/m,
      logFile: join(directory, 'eureka.log'),
      stopSignal: 'SIGKILL',
    })
  const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  return createRegistry(start, {
    address: `eureka://${USER}@127.0.0.1:${port}/eureka`,
    password: PASSWORD,
    async list(service) {
      const url = `http://127.0.0.1:${port}/eureka/apps/${service}`
      const response = await fetch(url, { headers: { accept: 'application/json', authorization } })
      if (response.status === 404) return []
      const { application } = (await response.json()) as Application
      return application.instance
        .filter(({ status }) => status === 'UP')
        .map((instance) => `${instance.ipAddr}:${instance.port.$}`)
    },
  })
}
