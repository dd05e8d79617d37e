import { createSecurityPolicy, html, setSecurityHeaders } from '#pkg/http/index.ts'
import { type Operation, operation } from '#pkg/operation/index.ts'

const LINKS = [
  ['/ping', 'responds with pong'],
  ['/health', 'the state of the service and its dependencies'],
  ['/docs', 'the operations, to read and to try'],
  ['/openapi.json', 'the same for programs'],
] as const

/** Shows the first links to a developer who opens the service in a browser. */
export function welcome({ name }: { readonly name: string }): Operation {
  const items = LINKS.map(([path, text]) => html`<li><a href="${path}">${path}</a> ${text}</li>\n`)
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${name}</title></head>
<body>
<h1>${name}</h1>
<ul>
${items}</ul>
</body>
</html>
`
  const policy = createSecurityPolicy()
  return operation({
    id: 'welcome',
    summary: 'Shows the links of the service',
    public: true,
    responses: { 200: { description: 'The page', mediaTypes: ['text/html'] } },
    handler: function welcome(_req, res) {
      setSecurityHeaders(res, policy)
      res.type('html').end(String(page))
    },
  })
}
