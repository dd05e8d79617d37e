import { html } from '#pkg/http/html.ts'
import { type Operation, operation } from '#pkg/operation/index.ts'

const LINKS = [
  ['/ping', 'a response without dependencies'],
  ['/health', 'the state of the service and its dependencies'],
  ['/docs', 'the operations, with forms that send requests'],
  ['/openapi.json', 'the OpenAPI document'],
] as const

/** Shows the first links to a developer who opens the service in a browser. */
export function welcome({ name }: { readonly name: string }): Operation {
  return operation({
    id: 'welcome',
    summary: 'Shows the links of the service',
    public: true,
    responses: { 200: { description: 'The page', mediaTypes: ['text/html'] } },
    handler: function welcome(_req, res) {
      res.type('html').end(renderPage(name))
    },
  })
}

function renderPage(name: string): string {
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
  return String(page)
}
