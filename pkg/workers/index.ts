export { forkWorker, INHERITED_FD, linkToPrimary, type PrimaryLink } from './cluster.ts'
export {
  createSupervisor,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorOptions,
  type WorkerHandle,
} from './supervisor.ts'
