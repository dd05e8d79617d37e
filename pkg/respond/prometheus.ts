/** Creates a function that tells whether a PromQL expression has a result now. It rejects when Prometheus fails. */
export function createQuery(url: string, fetch = globalThis.fetch, timeoutMs = 2_000) {
  const endpoint = `${url.replace(/\/$/, '')}/api/v1/query`
  return async function hasResult(query: string): Promise<boolean> {
    const response = await fetch(endpoint, {
      method: 'POST',
      // `limit` bounds the response of Prometheus 2.51 and later.
      body: new URLSearchParams({ query, limit: '1' }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    const { status, data, error } = (await response.json()) as {
      readonly status: string
      readonly data?: { readonly resultType: string; readonly result: readonly unknown[] }
      readonly error?: string
    }
    if (status !== 'success' || data?.resultType !== 'vector') {
      throw new Error(`Prometheus did not answer the query: ${error ?? data?.resultType}`)
    }
    return data.result.length > 0
  }
}
