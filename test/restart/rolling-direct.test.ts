import { testRollingRestarts } from '../support/rolling-restarts.ts'

testRollingRestarts('no proxy')
