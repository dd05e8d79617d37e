/** Text that is valid HTML: a template or an escaped value. */
export class Markup extends String {}

type Value = string | number | Markup | readonly Value[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function render(value: Value): string {
  if (value instanceof Markup) return String(value)
  if (Array.isArray(value)) return value.map(render).join('')
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/**
 * Renders a template and escapes each value. Use values only in text and quoted attributes, not in scripts or styles.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...values.map(render)))
}

/** Renders a page with the content of its head and body. */
export function renderPage(title: string, head: Markup | '', body: Markup): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`
  return String(page)
}
