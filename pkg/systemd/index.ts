export { readSystemd, type Systemd } from './environment.ts'
export { createNotifier, type Notifier, type NotifierOptions } from './notify.ts'
