import { testPair } from '../../test/discovery/scenarios.ts'
import { startEureka } from './start-eureka.ts'
import { startHaproxy } from './start-haproxy.ts'

testPair({
  name: 'Eureka → HAProxy',
  drainDelayMs: 1_000,
  startRegistry: startEureka,
  startProxy: startHaproxy,
  mistakes: ({ address }) => [
    { name: 'wrong password', env: { REGISTRY_PASSWORD: 'wrong' } },
    { name: 'wrong path', env: { REGISTRY: address.replace('/eureka', '/no-such-path') } },
  ],
})
