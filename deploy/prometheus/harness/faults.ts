import type { WatchedService } from './watched-service.ts'

export interface Fault {
  /** Completes the sentence "the alert fires when …". */
  readonly fault: string
  readonly alerts: readonly string[]
  /** Additional alerts of this fault, which resolve long after its end. @default none */
  readonly late?: readonly string[]
  readonly start: (service: WatchedService) => unknown
  readonly end: (service: WatchedService) => unknown
}

const callUpstream = ({ protectedTraffic }: WatchedService) => {
  protectedTraffic.path = () => '/faults/call'
}

const ping = ({ traffic }: WatchedService) => {
  traffic.path = () => '/ping'
}

/** Creates a fault that sends every `n`-th of the 40 requests a second to this path. */
const sendEach = (n: number, path: string) => ({
  start({ traffic }: WatchedService) {
    traffic.path = (count) => (count % n === 0 ? path : '/ping')
  },
  end: ping,
})

/** A fault for each alert. The errors come first, because the slowest of their alerts takes 6 hours to resolve. */
export const FAULTS: readonly Fault[] = [
  {
    fault: '5 % of the requests fail',
    alerts: ['ErrorRateHigh', 'ErrorBudgetBurnFast'],
    late: ['ErrorBudgetBurn', 'ErrorBudgetBurnSlow'],
    ...sendEach(20, '/faults/error'),
  },
  // Refusals are errors too, so this fault prolongs the alerts of the error budget.
  {
    fault: '40 requests a second need 40 ms of CPU each',
    alerts: ['RequestsRefused', 'Brownout'],
    start({ protectedTraffic }) {
      protectedTraffic.path = () => '/faults/block?ms=40'
    },
    end: callUpstream,
  },
  {
    fault: '10 % of the requests run a query of 1.2 s',
    alerts: ['LatencyP99High'],
    ...sendEach(10, '/faults/query?ms=1200'),
  },
  {
    fault: 'a request blocks the loop for 350 ms, every 500 ms',
    alerts: ['EventLoopStalled'],
    ...sendEach(20, '/faults/block?ms=350'),
  },
  {
    fault: '20 transactions of 600 ms each second share 10 connections',
    alerts: ['DatabasePoolExhausted'],
    ...sendEach(2, '/faults/transaction?ms=600'),
  },
  {
    fault: 'PostgreSQL is killed',
    alerts: ['DependencyDown'],
    start: ({ database }) => database.kill(),
    end: ({ database }) => database.restart(),
  },
  {
    // The service retries after 503, but not after 500.
    fault: 'a third of the responses of an upstream are 500',
    alerts: ['UpstreamErrorsHigh'],
    start: ({ protectedService }) => protectedService.respond((count) => (count % 3 === 0 ? 500 : 200)),
    end: ({ protectedService }) => protectedService.respond(() => 200),
  },
  {
    fault: 'every response of an upstream is 503',
    alerts: ['UpstreamCircuitOpen', 'UpstreamRetriesExhausted'],
    start: ({ protectedService }) => protectedService.respond(() => 503),
    end: ({ protectedService }) => protectedService.respond(() => 200),
  },
  {
    fault: 'an upstream without calls is stopped',
    alerts: ['UpstreamUnavailable'],
    start: ({ protectedService }) => protectedService.stopStock(),
    end: ({ protectedService }) => protectedService.restartStock(),
  },
  {
    fault: 'the collector of traces rejects each request',
    alerts: ['SpansLost'],
    start: ({ protectedService }) => protectedService.collect(400),
    end: ({ protectedService }) => protectedService.collect(200),
  },
  {
    fault: 'the output of an instance is blocked for 2 MB of log lines',
    alerts: ['LogLinesDropped'],
    start: ({ blockOutput }) => blockOutput(),
    end: ({ readOutput }) => readOutput(),
  },
  {
    fault: 'an instance is killed and started three times',
    alerts: ['RestartLoop'],
    start: ({ restartThreeTimes }) => restartThreeTimes(),
    end: () => {},
  },
  {
    fault: 'an instance is killed',
    alerts: ['TargetDown'],
    start: ({ kill }) => kill(),
    end: ({ restart }) => restart(),
  },
  {
    fault: 'the discovery finds no instance',
    alerts: ['TargetsMissing'],
    start: ({ loseTargets }) => loseTargets(),
    end: ({ findTargets }) => findTargets(),
  },
]
