import { NO_PROXY, testNaiveRestarts } from '../support/restarts.ts'

testNaiveRestarts(NO_PROXY)
