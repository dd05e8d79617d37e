import { HAPROXY } from '../support/haproxy.ts'
import { testRollingRestarts } from '../support/rolling-restarts.ts'

testRollingRestarts(HAPROXY)
