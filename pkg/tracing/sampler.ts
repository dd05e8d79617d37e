export interface SamplerOptions {
  /** A name of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration */
  readonly name: `${'' | 'parentbased_'}${'always_on' | 'always_off' | 'traceidratio'}`
  /** Share of recorded traces, from 0 to 1, for the samplers with a ratio. */
  readonly ratio: number
}

/**
 * Decides whether a trace is recorded. `parent` is the decision of a trusted caller: a sampler whose name begins with
 * `parentbased` follows it. With a ratio, the decision depends only on the random digits of the trace id, so a service
 * with a higher ratio records every trace that a service with a lower ratio records.
 * https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
export function createSampler({ name, ratio }: SamplerOptions): (traceId: string, parent?: boolean) => boolean {
  const followsParent = name.startsWith('parentbased_')
  const share = name.endsWith('_on') ? 1 : name.endsWith('_off') ? 0 : ratio
  // The first 13 of the 14 random digits have 52 bits, which a number represents exactly. Lower-case hexadecimal texts
  // compare like their numbers, and every id is below "g".
  const limit = Math.ceil((1 - share) * 2 ** 52)
  const threshold = limit === 2 ** 52 ? 'g' : limit.toString(16).padStart(13, '0')
  return function sample(traceId, parent) {
    if (followsParent && parent !== undefined) return parent
    return traceId.slice(-14) >= threshold
  }
}
