import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getRawAsset, isSea } from 'node:sea'
import { gunzipSync, gzipSync } from 'node:zlib'
import { html, renderPage } from '#pkg/http/html.ts'
import { createSecurityPolicy } from '#pkg/http/security-headers.ts'

/* The first request for /docs loads this module, because a start and other requests do not need its half megabyte. */

const START = `
document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)
// By default, Swagger UI sends the URL of the document to a validator on the internet.
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, displayRequestDuration: true, validatorUrl: null })
`

// The document has no links, and its headers all are strings. swagger-ui.css shows their names dark on dark.
const ADDITIONS = `
.swagger-ui .response-col_links, .swagger-ui .headers .header-col:last-child { display: none }
.dark-mode .swagger-ui .headers td.header-col { color: inherit }
.swagger-ui .headers .header-col { padding: 4px 12px 4px 0; vertical-align: top }
@media (max-width: 640px) {
  .swagger-ui .wrapper { padding: 0 8px }
  .swagger-ui table tbody tr td.response-col_status { min-width: 3.5em; width: 3.5em }
  .swagger-ui .opblock-body select { max-width: 100% }
}
`

/** The last line of dist/server.cjs declares this function, which returns the compressed files in Base64. */
declare const pageFiles: undefined | (() => Readonly<Record<string, string>>)

/** Reads a file of swagger-ui-dist, compressed with gzip. */
function readCompressed(file: string): Buffer {
  if (isSea()) return Buffer.from(getRawAsset(file))
  if (typeof pageFiles === 'function') return Buffer.from(pageFiles()[file] ?? '', 'base64')
  return gzipSync(readFileSync(createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`)))
}

/** Creates a file whose path contains a hash of its content, so a browser never requests the file again. */
function createFile(name: string, extension: string, compressed: Buffer) {
  let content: Buffer | undefined
  return {
    path: `${name}-${hash('sha256', compressed).slice(0, 16)}.${extension}`,
    compressed,
    /** Decompresses the file once, for clients without gzip. */
    decompress() {
      content ??= gunzipSync(compressed)
      return content
    },
  }
}

const style = createFile('swagger-ui', 'css', readCompressed('swagger-ui.css'))
const script = createFile('swagger-ui', 'js', readCompressed('swagger-ui-bundle.js'))
const additions = createFile('additions', 'css', gzipSync(ADDITIONS))
const start = createFile('start', 'js', gzipSync(START))

export const findFile = (path: string) => [style, additions, script, start].find((file) => file.path === path)

/** The page may load its own files and send requests to the service. The icons in its style are data URLs. */
const self = ["'self'"]
const sources = { scriptSrc: self, styleSrc: self, imgSrc: [...self, 'data:'], connectSrc: self }
export const policy = createSecurityPolicy(sources)

export function renderDocsPage(service: string): string {
  const head = html`<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/${style.path}">
<link rel="stylesheet" href="/docs/${additions.path}">
<script defer src="/docs/${script.path}"></script>
<script defer src="/docs/${start.path}"></script>`
  return renderPage(`${service}: operations`, head, html`<div id="docs"></div>`)
}
