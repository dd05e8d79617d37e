import { NO_PROXY, testRollingRestarts } from '../support/restarts.ts'

testRollingRestarts(NO_PROXY)
