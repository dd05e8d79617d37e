import { hash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createSecurityPolicy, html, setSecurityHeaders } from '#pkg/http/index.ts'
import { script, style } from './docs-files.ts'

/*
 * What /docs is made of. Loaded when somebody asks for it: half a megabyte that no start and no other request needs.
 */

const START = `
document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)
// Its own default is a validator on the internet, to which it would send the address of the document.
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null })
`

export interface PageFile {
  readonly path: string
  readonly type: string
  readonly compressed: Uint8Array
}

/** Its path has a hash of what is in it, so that whoever has it never asks again. */
function fileOf(name: string, extension: string, type: string, compressed: Uint8Array): PageFile {
  return { path: `${name}-${hash('sha256', compressed).slice(0, 16)}.${extension}`, type, compressed }
}

const files = {
  style: fileOf('swagger-ui', 'css', 'text/css', style),
  script: fileOf('swagger-ui', 'js', 'text/javascript', script),
  start: fileOf('start', 'js', 'text/javascript', gzipSync(START)),
}

export const fileAt = (path: string): PageFile | undefined => Object.values(files).find((file) => file.path === path)

/** For a client that takes no gzip, which is none that people use. */
export const unpacked = ({ compressed }: PageFile): Buffer => gunzipSync(compressed)

/** Its own files and what the service answers. The icons in its style are data. */
const policy = createSecurityPolicy({
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
})

export const setPagePolicy = (res: Parameters<typeof setSecurityHeaders>[0]) => setSecurityHeaders(res, policy)

export function docsPage(service: string): string {
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
