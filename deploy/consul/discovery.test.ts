import { testPair } from '../../test/discovery/scenarios.ts'
import { startConsul } from './start-consul.ts'
import { startEnvoy } from './start-envoy.ts'

testPair({
  name: 'Consul → Envoy',
  drainDelayMs: 1_000,
  startRegistry: startConsul,
  startProxy: startEnvoy,
  mistakes: () => [{ name: 'wrong token', env: { REGISTRY_PASSWORD: '99999999-2222-4333-8444-555555555555' } }],
})
