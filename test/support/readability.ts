import { expect } from '@jest/globals'
import type { Page } from 'playwright-core'

/** Computes the relative luminance of a colour: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function computeLuminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map((channel) => {
    const share = Number(channel) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function computeContrast(first: string, second: string): number {
  const [dark = 0, light = 0] = [computeLuminance(first), computeLuminance(second)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** A script for the page, which lists each text colour with its background colour. */
const listColours = (selector: string) => `
  const behind = (element) => {
    const { backgroundColor } = getComputedStyle(element)
    return backgroundColor === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : backgroundColor
  };
  [...document.querySelectorAll('${selector}')].map((element) => {
    const { color, fill } = getComputedStyle(element)
    return { text: element.localName === 'path' ? fill : color, behind: behind(element) }
  })`

/** The screen sizes that the tests of pages use. */
export const VIEWPORTS = [
  { width: 1000, height: 700 },
  { width: 320, height: 640 },
]

/** Expects a sufficient contrast of every element of a selector, and no horizontal scroll bar. */
export async function expectReadable(page: Page, selector: string): Promise<void> {
  const colours: { text: string; behind: string }[] = await page.evaluate(listColours(selector))
  expect(colours.length).toBeGreaterThan(20)
  for (const { text, behind } of colours) expect(computeContrast(text, behind)).toBeGreaterThanOrEqual(4.5)
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(page.viewportSize()?.width)
}
