import { expect, test } from '@jest/globals'
import { prefersHtml } from './prefers-html.ts'

test.each([
  ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8', true],
  ['text/html', true],
  ['TEXT/HTML', true],
  ['text/*', true],
  ['text/html, application/json;q=0.9', true],
  ['application/json;q=0.5, text/*;q=0.6', true],
  ['text/html;q=0.2, */*;q=0.1', true],
  ['text/html ; Q=0.8 , application/json ; q=0.7', true],
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['application/json', false],
  ['text/plain', false],
  ['text/html, application/json', false],
  ['text/html, */*', false],
  ['text/html;q=0', false],
  ['text/html;q=0.5, */*', false],
  ['text/*;q=0.9, text/html;q=0.1, application/json;q=0.2', false],
  ['text/html;q=much', false],
  ['text/html;q=2', false],
  ['text/html;q=-1, application/*;q=0', false],
  [',;,text/,;q=1', false],
])('%s: %s', (accept, expected) => {
  expect(prefersHtml(accept)).toBe(expected)
})
