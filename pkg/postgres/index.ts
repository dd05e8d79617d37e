export { GuardedClient, types } from './client.ts'
export { createDatabase, type DatabaseOptions } from './database.ts'
export { type Executor, inTransaction, NoRowError, type Prepared, prepare } from './prepare.ts'
export { DATABASE_PROBLEMS, findStoreProblem, withStoreProblems } from './problems.ts'
