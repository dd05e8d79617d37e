import { testPair } from '../../test/discovery/scenarios.ts'
import { startNacos } from './start-nacos.ts'
import { startNginx } from './start-nginx.ts'

testPair({
  name: 'Nacos → nginx',
  drainDelayMs: 3_000,
  startRegistry: startNacos,
  startProxy: startNginx,
  mistakes: ({ address }) => [
    { name: 'wrong password', env: { REGISTRY_PASSWORD: 'wrong' } },
    { name: 'wrong namespace', env: { REGISTRY: address.replace('/public/', '/no-such-namespace/') } },
  ],
})
