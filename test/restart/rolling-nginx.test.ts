import { testRollingRestarts } from '../support/rolling-restarts.ts'

testRollingRestarts('nginx')
