import { NO_PROXY } from '../support/restarts.ts'
import { testRollingRestarts } from '../support/rolling-restarts.ts'

testRollingRestarts(NO_PROXY)
