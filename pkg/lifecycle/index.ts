export { createHttpDrain } from './http-drain.ts'
export { createLifecycle, type Lifecycle, type LifecycleEvent, type Part, type Phase } from './lifecycle.ts'
export { type ConnectionLimitEvent, type ConnectionLimitOptions, limitConnections } from './limit-connections.ts'
export { type ListenOptions, listen } from './listen.ts'
