import type { ServerResponse } from 'node:http'
import * as z from 'zod'
import { type Operation, operation } from '#pkg/operation/index.ts'
import { CodedError } from '#pkg/problem/index.ts'
import type { BuildInfo } from '../build-info.ts'

/** The page that shows /openapi.json and can try what is in it. */
export function docs({ name }: Pick<BuildInfo, 'name'>): Operation {
  return operation({
    id: 'docs',
    summary: 'The document as a page, to read and to try',
    responses: { 200: { description: 'HTML' } },
    handler: async function docs(_req, res) {
      const { docsPage, setPagePolicy } = await import('./docs-page.ts')
      setPagePolicy(res)
      // Another version has other files.
      send(res.set('cache-control', 'no-cache').type('html'), Buffer.from(docsPage(name)))
    },
  })
}

/** What that page is made of. */
export function docsFile(): Operation {
  return operation({
    id: 'docsFile',
    summary: 'What the page is made of',
    params: z.object({ file: z.string() }),
    responses: { 200: { description: 'A script or a style, which never changes' } },
    problems: ['not_found'],
    handler: async function docsFile(req, res) {
      const { fileAt, unpacked } = await import('./docs-page.ts')
      const file = fileAt(req.params.file)
      if (file === undefined) throw new CodedError('not_found')
      const zipped = req.acceptsEncodings('gzip', 'identity') === 'gzip'
      res.vary('accept-encoding').set('cache-control', 'public, max-age=31536000, immutable').type(file.type)
      if (zipped) res.set('content-encoding', 'gzip')
      send(res, zipped ? file.compressed : unpacked(file))
    },
  })
}

/** What is no JSON and so has no schema. */
const send = (res: ServerResponse, body: Uint8Array) => void res.setHeader('content-length', body.length).end(body)
