import type { ServerResponse } from 'node:http'
import * as z from 'zod'
import { type Operation, operation } from '#pkg/operation/index.ts'
import { CodedError } from '#pkg/problem/index.ts'
import type { BuildInfo } from '../build-info.ts'

/** Shows /openapi.json as a page that can send requests. */
export function docs({ name }: Pick<BuildInfo, 'name'>): Operation {
  return operation({
    id: 'docs',
    summary: 'Shows the document as a page',
    responses: { 200: { description: 'The page', mediaTypes: ['text/html'] } },
    handler: async function docs(_req, res) {
      const { renderDocsPage, setPagePolicy } = await import('./docs-page.ts')
      setPagePolicy(res)
      // Another version of the service has other files.
      send(res.set('cache-control', 'private, no-cache').type('html'), Buffer.from(renderDocsPage(name)))
    },
  })
}

/** Returns the files of that page. */
export function docsFile(): Operation {
  return operation({
    id: 'docsFile',
    summary: 'Returns a file of the page',
    params: z.object({ file: z.string() }),
    responses: { 200: { description: 'A script or a style, which never changes', mediaTypes: ['text/*'] } },
    problems: ['not_found'],
    handler: async function docsFile(req, res) {
      const { findFile } = await import('./docs-page.ts')
      const file = findFile(req.params.file)
      if (file === undefined) throw new CodedError('not_found')
      const isCompressed = req.acceptsEncodings('gzip', 'identity') === 'gzip'
      const scope = req.auth ? 'private' : 'public'
      res.vary('accept-encoding').set('cache-control', `${scope}, max-age=31536000, immutable`).type(file.type)
      if (isCompressed) res.set('content-encoding', 'gzip')
      send(res, isCompressed ? file.compressed : file.content())
    },
  })
}

/** Sends a body without a schema. */
const send = (res: ServerResponse, body: Uint8Array) => void res.setHeader('content-length', body.length).end(body)
