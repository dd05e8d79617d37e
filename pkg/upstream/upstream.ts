import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import { withTimeout } from '../with-timeout.ts'
import { buildHeaders, type Call, CallError, encodeBody, isFailure } from './call.ts'
import { isFailing } from './ejection.ts'
import { AttemptError, exchange, type UpstreamResponse } from './exchange.ts'
import { createGuard, RejectedError } from './guard.ts'
import type { Instance } from './instance.ts'
import { type JsonRequest, requestJson } from './json.ts'
import { observe } from './load.ts'
import type { UpstreamOptions, UpstreamRequest } from './options.ts'
import { createPool } from './pool.ts'
import { originKey, resolve, SYSTEM_RESOLVER } from './resolve.ts'
import { createRetryBudget, isIdempotent, planRetry } from './retry.ts'

export type Upstream = ReturnType<typeof createUpstream>
export type UpstreamReport = ReturnType<Upstream['report']>

/** Interval between the checks of the circuit and of the due probes, in milliseconds. */
const TICK_MS = 250
/**
 * Interval between resolutions of the source, in milliseconds: Envoy's `dns_refresh_rate` for STRICT_DNS. getaddrinfo
 * reports no time to live.
 */
const RESOLVE_MS = 5_000
/** Highest share of the concurrency for background calls. */
const BACKGROUND_SHARE = 0.5
/** A timeout counts against the upstream when the call had at least this time, in milliseconds, or its own limit. */
const PATIENT_MS = 1_000

/** Creates a client for the instances of a service. Call `start` before the first request, and `stop` at the end. */
export function createUpstream(options: UpstreamOptions) {
  const { name, source, timeoutMs: ownTimeoutMs = 5_000, concurrency = 256, maxBytes = 1024 * 1024 } = options
  const { isOpen = () => false, context: readContext = () => undefined, onEvent, onAttempt } = options
  const { trace = (_name, _attributes, work) => work(undefined), resolver = SYSTEM_RESOLVER } = options
  const { now = () => performance.now(), random = Math.random } = options
  const budget = createRetryBudget()
  const counts = { retries: 0, retriesWithoutBudget: 0, rejectedByBreaker: 0, rejectedByConcurrency: 0, fallbacks: 0 }
  const guard = createGuard({
    concurrency,
    isFailure(error, isTrial) {
      const isCallError = error instanceof CallError
      // Without a response, for example because the caller disconnected, a trial has not shown that the upstream works.
      const isUndecided = !(isCallError && error.attempt.status !== undefined)
      return (isCallError && error.isFailure) || (isTrial && isUndecided)
    },
    onState: (state) => onEvent?.({ type: 'circuit', upstream: name, state }),
    now,
  })
  const pool = createPool({ now, random, onEvent: (event) => onEvent?.({ ...event, upstream: name }) })
  const timers: NodeJS.Timeout[] = []
  let isStopped = false
  let resolving: Promise<void> | undefined
  let isUnresolved = false

  /**
   * Resolves the source, one lookup at a time: a lookup cannot be cancelled and occupies one of libuv's few threads.
   */
  function refresh(): Promise<void> {
    resolving ??= lookUp().finally(() => {
      resolving = undefined
    })
    return resolving
  }

  async function lookUp(): Promise<void> {
    try {
      const origins = await resolve(source, resolver)
      // An empty response of the name server may be an error, so the known instances stay.
      if (origins.length > 0) pool.update(origins)
      isUnresolved = false
    } catch (error) {
      if (!isUnresolved) onEvent?.({ type: 'not resolved', upstream: name, error })
      isUnresolved = true
    }
  }

  /**
   * Applies the operator's setting, probes the instances, and allows a trial after a successful probe. Called by a
   * timer and by tests.
   */
  async function tick(): Promise<void> {
    guard.isolate(isOpen())
    if (isStopped) return
    const needsProbe = guard.needsProbe()
    const isAlive = await pool.probe(needsProbe)
    if (isAlive && guard.needsProbe()) guard.allowTrial()
  }

  /**
   * Sends a request, and retries it within the deadline and the budget. Resolves with the response when its status is
   * below 500 and not 429; redirects are not followed.
   *
   * @throws CodedError `upstream_timeout` after the deadline, `upstream_invalid_response` for a response that is not
   * HTTP or too large, `upstream_unavailable` otherwise; TypeError for a request that cannot be sent
   */
  async function request(asked: UpstreamRequest): Promise<UpstreamResponse> {
    const body = encodeBody(asked)
    guard.isolate(isOpen())
    const context = readContext()
    const limitMs = asked.timeoutMs ?? ownTimeoutMs
    const allowedMs = Math.min(limitMs, (context?.deadline ?? Number.POSITIVE_INFINITY) - now())
    const deadline = now() + allowedMs
    const isPatient = allowedMs >= Math.min(limitMs, PATIENT_MS)
    const call: Call = { asked, body, deadline, isPatient, signal: asked.signal ?? context?.signal }
    const priority = asked.priority ?? context?.priority
    const share = priority === 'background' ? BACKGROUND_SHARE : 1
    try {
      return await guard.run(() => send(call), share)
    } catch (cause) {
      if (cause instanceof RejectedError) {
        if (cause.reason === 'breaker') counts.rejectedByBreaker++
        else counts.rejectedByConcurrency++
      } else if (!(cause instanceof CallError)) throw cause
      const kind = cause instanceof CallError ? cause.attempt.kind : undefined
      const code = kind === 'timeout' || kind === 'invalid' ? CODES[kind] : 'upstream_unavailable'
      throw new CodedError(code, { cause })
    }
  }

  /** Sends the attempts of a call until one succeeds. @throws CallError */
  async function send(call: Call): Promise<UpstreamResponse> {
    const { asked, deadline, signal } = call
    const isRepeatable = isIdempotent(asked.method) || asked.idempotencyKey !== undefined
    const tried = new Set<Instance>()
    budget.deposit()
    if (pool.list().length === 0 && resolving) {
      await withTimeout(resolving, Math.max(0, deadline - now())).catch(() => undefined)
    }
    for (let retries = 0, hadFreeRetry = false, resends = 0; ; resends++) {
      if (!isRepeatable) await readSockets()
      const instance = pool.pick(tried)
      if (instance === undefined) throw new CallError(new AttemptError('refused', 'no instance is known'), call)
      tried.add(instance)
      let error: AttemptError
      try {
        return await attempt(instance, call, resends)
      } catch (cause) {
        if (!(cause instanceof AttemptError)) throw cause
        error = cause
      }
      const { kind, status, retryAfterMs } = error
      const leftMs = deadline - now()
      const retry = planRetry({ kind, status, retryAfterMs, isRepeatable, retries, hadFreeRetry, leftMs, random })
      if (retry === undefined) throw new CallError(error, call)
      if (retry.isFree) hadFreeRetry = true
      else if (budget.withdraw()) retries++
      else {
        counts.retriesWithoutBudget++
        throw new CallError(error, call)
      }
      counts.retries++
      await sleep(retry.delayMs, undefined, signal && { signal }).catch(() => undefined)
    }
  }

  async function attempt(instance: Instance, call: Call, resends: number) {
    const { asked, body, deadline, signal } = call
    const { method, path } = asked
    const { origin, agent } = instance
    const attributes = {
      'http.request.method': method,
      'server.address': origin.host,
      'server.port': origin.port,
      'url.full': `${originKey(origin)}${path.split('?', 1)[0]}`,
      ...(resends > 0 && { 'http.request.resend_count': resends }),
    }
    return trace(`${method} ${name}`, attributes, async (span) => {
      const startedAt = now()
      const leftMs = deadline - startedAt
      if (leftMs <= 0) throw new AttemptError('timeout', 'the deadline had passed')
      // A destroyed agent would open new connections.
      if (isStopped) throw new AttemptError('cancelled', 'the client has stopped')
      // Otherwise Node would open a connection for this call, and keep it as an idle connection.
      if (signal?.aborted) throw new AttemptError('cancelled', 'the caller disconnected')
      const done = instance.begin(startedAt)
      let status: number | undefined
      let errorType: string | undefined
      try {
        // The trace headers refer to the span of this attempt.
        const headers = buildHeaders(asked, { ...readContext(), leftMs })
        const common = { origin, agent, method, path, headers, timeoutMs: leftMs, maxBytes }
        const response = await exchange({ ...common, body, signal })
        status = response.status
        instance.load = observe(instance.load, { latencyMs: now() - startedAt, ok: true, now: now() })
        pool.record(instance, 'ok')
        return response
      } catch (error) {
        if (!(error instanceof AttemptError)) {
          errorType = '_OTHER'
          throw error
        }
        status = error.status
        errorType = error.code
        recordFailure(instance, error, now() - startedAt, call)
        throw error
      } finally {
        done()
        instance.seenAt = now()
        if (status !== undefined) span?.setAttribute('http.response.status_code', status)
        onAttempt?.({ method, status, errorType, durationMs: now() - startedAt })
      }
    })
  }

  function recordFailure(instance: Instance, error: AttemptError, durationMs: number, call: Call): void {
    const { kind, status } = error
    // The duration of a call without a response is a lower limit of the latency.
    const knownMs = instance.load.latencyMs ?? (kind === 'timeout' ? 0 : Number.POSITIVE_INFINITY)
    const isSlow = (kind === 'timeout' || kind === 'cancelled') && durationMs > knownMs
    const latencyMs = isSlow ? durationMs : undefined
    instance.load = observe(instance.load, { latencyMs, ok: isFailure(error, call) ? false : undefined, now: now() })
    if (kind === 'refused' || kind === 'broken') pool.record(instance, 'failed')
    else if (status !== undefined) pool.record(instance, 'ok')
  }

  return {
    name,
    request,
    /** Sends a request and parses the JSON of its response: `requestJson`. */
    json: <S extends z.ZodType>(asked: JsonRequest<S>) =>
      requestJson({ send: request, onFallback: () => void counts.fallbacks++ }, asked),
    tick,
    /** Resolves the source again. Called by a timer and by tests. */
    refresh,
    /**
     * Resolves the source in the background, because a name server that is down must not prevent the start of this
     * service.
     */
    start(): void {
      void refresh().then(tick)
      // A slow probe does not delay the next check.
      timers.push(setInterval(tick, TICK_MS).unref())
      if (source.type !== 'static') timers.push(setInterval(refresh, RESOLVE_MS).unref())
    },
    stop(): void {
      isStopped = true
      for (const timer of timers) clearInterval(timer)
      pool.stop()
    },
    /** Returns the current state, for health, metrics and the board. */
    report: () => ({
      upstream: name,
      circuit: guard.state(),
      inProgress: guard.inProgress(),
      concurrency,
      retriesLeft: budget.left(),
      ...counts,
      instances: pool.list().map(({ origin, ejection, load, inFlight, agent }) => ({
        origin: originKey(origin),
        isEjected: ejection.probeAt !== undefined,
        isFailing: isFailing(ejection),
        latencyMs: load.latencyMs,
        success: load.success,
        inFlight,
        idleConnections: Object.values(agent.freeSockets).flat().length,
        activeConnections: Object.values(agent.sockets).flat().length,
      })),
    }),
  }
}

/**
 * Lets the event loop read its sockets, and close idle connections that their instances have closed. Such a connection
 * would lose a request. The first turn ends after the current reads, and the second turn reads all sockets again.
 */
async function readSockets(): Promise<void> {
  await setImmediate()
  await setImmediate()
}

const CODES = { timeout: 'upstream_timeout', invalid: 'upstream_invalid_response' } as const
