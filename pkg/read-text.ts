/**
 * Reads the body of a response as UTF-8.
 *
 * @param maxBytes the default is 1 MiB
 * @throws RangeError for a larger body, or the error of the body
 */
export async function readText(body: AsyncIterable<Uint8Array> | null, maxBytes = 1024 * 1024): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the stream, which closes the connection.
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new RangeError(`response of more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
