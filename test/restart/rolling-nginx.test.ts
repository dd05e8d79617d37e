import { NGINX } from '../support/nginx.ts'
import { testRollingRestarts } from '../support/rolling-restarts.ts'

testRollingRestarts(NGINX)
