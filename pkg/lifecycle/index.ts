export { createHttpDrain, type HttpDrain, type HttpDrainOptions } from './http-drain.ts'
export {
  createLifecycle,
  type Lifecycle,
  type LifecycleEvent,
  type LifecycleOptions,
  type Part,
  type Phase,
  type StopOptions,
  type Use,
} from './lifecycle.ts'
export { type ConnectionLimitEvent, type ConnectionLimitOptions, limitConnections } from './limit-connections.ts'
export { type ListenOptions, listen } from './listen.ts'
export { type RunEvent, type RunOptions, runUntilStopped, type SignalSource } from './run.ts'
