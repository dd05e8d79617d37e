export { type Admission, type AdmissionOptions, type Brownout, createAdmission, REASONS } from './admission.ts'
export { PRIORITIES, type Priority } from './priority.ts'
export { createPriorityTable, type PrioritizedRoute } from './priority-table.ts'
export { createTurnClock } from './turn-clock.ts'
