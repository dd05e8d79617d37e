import { testPair } from '../../test/discovery/scenarios.ts'
import { startNacos } from './start-nacos.ts'
import { startNginx } from './start-nginx.ts'

testPair({
  name: 'Nacos → nginx',
  drainDelayMs: 3_000,
  startRegistry: startNacos,
  startProxy: startNginx,
  // The server of the test accepts a namespace that does not exist, so this mistake has no failure.
  mistakes: () => [{ name: 'wrong password', env: { REGISTRY_PASSWORD: 'wrong' } }],
})
