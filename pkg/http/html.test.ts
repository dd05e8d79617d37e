import { expect, test } from '@jest/globals'
import { html } from './html.ts'

const hostile = `"><script>alert('&amp;')</script>`
const harmless = '&quot;&gt;&lt;script&gt;alert(&#39;&amp;amp;&#39;)&lt;/script&gt;'

test('values are escaped, and markup is unchanged', () => {
  const inner = html`<b title="${hostile}">${hostile}</b>`
  expect(String(inner)).toBe(`<b title="${harmless}">${harmless}</b>`)
  expect(String(html`<p>${inner}${[inner, hostile]}${7}</p>`)).toBe(`<p>${inner}${inner}${harmless}7</p>`)
})

test('an object with a toString method is escaped', () => {
  expect(String(html`${{ toString: () => hostile } as never}`)).toBe(harmless)
})
