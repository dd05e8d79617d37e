import { hash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { html } from '#pkg/http/html.ts'
import { createSecurityPolicy, setSecurityHeaders } from '#pkg/http/security-headers.ts'
import { script, style } from './docs-files.ts'

/* The first request for /docs loads this module: half a megabyte that no start and no other request needs. */

const START = `
document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)
// By default Swagger UI sends the address of the document to a validator on the internet.
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null })
`

export interface PageFile {
  readonly path: string
  readonly type: string
  readonly compressed: Uint8Array
  /** Decompresses the file once, for clients without gzip. */
  readonly content: () => Uint8Array
}

/** The path contains a hash of the content, so a browser never requests the file again. */
function createFile(name: string, extension: string, type: string, compressed: Uint8Array): PageFile {
  let content: Uint8Array | undefined
  return {
    path: `${name}-${hash('sha256', compressed).slice(0, 16)}.${extension}`,
    type,
    compressed,
    content() {
      content ??= gunzipSync(compressed)
      return content
    },
  }
}

const files = {
  style: createFile('swagger-ui', 'css', 'text/css', style),
  script: createFile('swagger-ui', 'js', 'text/javascript', script),
  start: createFile('start', 'js', 'text/javascript', gzipSync(START)),
}

export const findFile = (path: string): PageFile | undefined => Object.values(files).find((file) => file.path === path)

/** The page loads its own files and the responses of the service. The icons in its style are data URLs. */
const policy = createSecurityPolicy({
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
})

export const setPagePolicy = (res: Parameters<typeof setSecurityHeaders>[0]) => setSecurityHeaders(res, policy)

export function renderDocsPage(service: string): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${service}: operations</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/${files.style.path}">
<script defer src="/docs/${files.script.path}"></script>
<script defer src="/docs/${files.start.path}"></script>
</head>
<body id="docs"></body>
</html>
`
  return String(page)
}
