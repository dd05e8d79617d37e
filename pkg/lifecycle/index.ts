export { createHttpDrain } from './http-drain.ts'
export { createLifecycle, type Lifecycle, type LifecycleEvent, type Part, type Phase } from './lifecycle.ts'
export { type ConnectionLimitEvent, limitConnections } from './limit-connections.ts'
export { listen } from './listen.ts'
