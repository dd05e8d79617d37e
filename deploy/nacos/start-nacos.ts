import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { createRegistry, fetchJson, type TestRegistry } from '../../test/discovery/registry.ts'
import { installJars, JAVA_OPTIONS } from '../../test/support/maven.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

const FOLDER = join(import.meta.dirname, 'server')
const USER = 'registry-user'
const PASSWORD = 'password-of-the-tests'

interface Login {
  readonly accessToken: string
}

interface Instances {
  readonly data: readonly { readonly ip: string; readonly port: number; readonly healthy: boolean; enabled: boolean }[]
}

/** By default, a start fails when the creation of the embedded database takes more than 3 s. */
const properties = (port: number) => `
db.pool.config.connection-timeout=120000
server.address=127.0.0.1
nacos.server.main.port=${port}
nacos.server.contextPath=/nacos
nacos.inetutils.ip-address=127.0.0.1
nacos.core.auth.system.type=nacos
nacos.core.auth.enabled=true
nacos.core.auth.admin.enabled=true
nacos.core.auth.caching.enabled=false
nacos.core.auth.server.identity.key=identity
nacos.core.auth.server.identity.value=identity
nacos.core.auth.plugin.nacos.token.secret.key=${Buffer.from('a secret of the tests that has 32 bytes').toString('base64')}
nacos.istio.mcp.server.enabled=false
`

/** Starts a standalone Nacos server with its embedded database. Its user may use the namespace `public` only. */
export async function startNacos(): Promise<TestRegistry> {
  const jars = await installJars(FOLDER)
  const port = await freePort()
  const base = `http://127.0.0.1:${port}/nacos/v3`
  const post = <T>(path: string, fields: Record<string, string>, headers = {}) =>
    fetchJson<T>(`${base}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers })
  const logIn = () => post<Login>('/auth/user/login', { username: 'nacos', password: PASSWORD })

  async function createUser(): Promise<void> {
    await post('/auth/user/admin', { password: PASSWORD })
    const { accessToken } = await logIn()
    const headers = { accessToken }
    await post('/auth/user', { username: USER, password: PASSWORD }, headers)
    await post('/auth/role', { username: USER, role: 'services' }, headers)
    await post('/auth/permission', { role: 'services', resource: 'public:*:*', action: 'rw' }, headers)
  }

  async function start() {
    // A new home directory: Nacos keeps its users and settings in it.
    const home = temporaryDirectory('nacos')
    mkdirSync(join(home, 'conf'))
    writeFileSync(join(home, 'conf/application.properties'), properties(port))
    const running = await launch({
      command: 'java',
      args: [
        ...JAVA_OPTIONS,
        `-Dnacos.home=${home}`,
        '-Dnacos.standalone=true',
        '-cp',
        `${join(home, 'conf')}:${jars}`,
        join(FOLDER, 'NacosServer.java'),
      ],
      readyPattern: /^ready$/m,
      logFile: join(home, 'nacos.log'),
      stopSignal: 'SIGKILL',
    })
    await createUser()
    return running
  }

  return createRegistry(start, {
    address: `nacos://${USER}@127.0.0.1:${port}/public/DEFAULT_GROUP`,
    password: PASSWORD,
    async list(service) {
      const query = new URLSearchParams({ serviceName: service })
      const { accessToken } = await logIn()
      const url = `${base}/client/ns/instance/list?${query}`
      const { data } = await fetchJson<Instances>(url, { headers: { accessToken } })
      return data.filter((each) => each.healthy && each.enabled).map(({ ip, port: own }) => `${ip}:${own}`)
    },
  })
}
