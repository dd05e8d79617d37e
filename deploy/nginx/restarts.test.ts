import { testKill } from '../../test/support/deploy/kill.ts'
import { createRoute } from '../../test/support/deploy/proxy.ts'
import { testNaiveRestarts, testRollingRestarts } from '../../test/support/restarts.ts'
import { startNginx } from './start-nginx.ts'

const route = createRoute('nginx', startNginx)
testRollingRestarts(route)
testKill(route)
testNaiveRestarts(route)
