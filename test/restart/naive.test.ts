import { NO_PROXY } from '../support/restarts.ts'
import { testNaiveRestarts } from '../support/rolling-restarts.ts'

testNaiveRestarts(NO_PROXY)
