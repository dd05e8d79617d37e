import * as z from 'zod'
import { setSecurityHeaders } from '#pkg/http/security-headers.ts'
import { type Operation, operation } from '#pkg/operation/index.ts'
import { CodedError } from '#pkg/problem/index.ts'
import type { BuildInfo } from '../build-info.ts'

/** Shows /openapi.json as a page that can send requests. */
export function docs({ name }: Pick<BuildInfo, 'name'>): Operation {
  return operation({
    id: 'docs',
    priority: 'background',
    summary: 'Shows the document as a page',
    responses: { 200: { description: 'The page', mediaTypes: ['text/html'] } },
    handler: async function docs(_req, res) {
      const { policy, renderDocsPage } = await import('./docs-page.ts')
      setSecurityHeaders(res, policy)
      // Browsers must revalidate the page, because the paths of its files depend on the version of the service.
      res.set('cache-control', 'private, no-cache').type('html').send(renderDocsPage(name))
    },
  })
}

/** Returns a file of the page at /docs. */
export function docsFile(): Operation {
  return operation({
    id: 'docsFile',
    priority: 'background',
    summary: 'Returns a file of the page',
    params: z.object({ file: z.string() }),
    responses: { 200: { description: 'A script or a style sheet, which never changes', mediaTypes: ['text/*'] } },
    problems: ['not_found'],
    handler: async function docsFile(req, res) {
      const { findFile } = await import('./docs-page.ts')
      const file = findFile(req.params.file)
      if (file === undefined) throw new CodedError('not_found')
      const isCompressed = req.acceptsEncodings('gzip', 'identity') === 'gzip'
      const scope = req.auth ? 'private' : 'public'
      res.vary('accept-encoding').set('cache-control', `${scope}, max-age=31536000, immutable`).type(file.path)
      if (isCompressed) res.set('content-encoding', 'gzip')
      res.send(isCompressed ? file.compressed : file.decompress())
    },
  })
}
