import { testKill } from '../../test/support/deploy/kill.ts'
import { createRoute } from '../../test/support/deploy/proxy.ts'
import { testNaiveRestarts, testRollingRestarts } from '../../test/support/restarts.ts'
import { startHaproxy } from './start-haproxy.ts'

const route = createRoute('haproxy', startHaproxy)
testRollingRestarts(route)
testKill(route)
testNaiveRestarts(route)
