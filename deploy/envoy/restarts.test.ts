import { testKill } from '../../test/support/deploy/kill.ts'
import { createRoute } from '../../test/support/deploy/proxy.ts'
import { testNaiveRestarts, testRollingRestarts } from '../../test/support/restarts.ts'
import { startEnvoy } from './start-envoy.ts'

testRollingRestarts(createRoute('Envoy', (options) => startEnvoy({ ...options, strategy: 'LEAST_REQUEST' })))
testKill(createRoute('Envoy', startEnvoy))
testNaiveRestarts(createRoute('Envoy', startEnvoy))
