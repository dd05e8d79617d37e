import { html, renderPage } from '#pkg/http/html.ts'
import { type Operation, operation } from '#pkg/operation/index.ts'

/** Shows the first links to a developer who opens the service in a browser. */
export function welcome({ name }: { readonly name: string }): Operation {
  return operation({
    id: 'welcome',
    priority: 'background',
    summary: 'Shows the links of the service',
    public: true,
    responses: { 200: { description: 'The page', mediaTypes: ['text/html'] } },
    handler: function welcome(_req, res) {
      const body = html`<h1>${name}</h1>
<ul>
<li><a href="/ping">/ping</a> a response without dependencies</li>
<li><a href="/health">/health</a> the state of the service and its dependencies</li>
<li><a href="/docs">/docs</a> the operations, with forms that send requests</li>
<li><a href="/openapi.json">/openapi.json</a> the OpenAPI document</li>
</ul>`
      res.type('html').send(renderPage(name, '', body))
    },
  })
}
