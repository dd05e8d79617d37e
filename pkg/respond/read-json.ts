/** Largest response that the responder reads, in bytes. */
const MAX_BYTES = 1024 * 1024

/** Parses the body of a response. @throws when it is not JSON or larger than 1 MiB */
export async function readJson(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the stream, which closes the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new RangeError(`response of more than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString())
}
