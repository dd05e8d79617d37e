import { afterAll, beforeAll, expect } from '@jest/globals'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { debianTool } from './tools.ts'

export interface BrowserPage {
  readonly page: Page
  /** Problems that the browser reported: script errors, policy violations, failed requests. */
  readonly complaints: readonly string[]
  /** The URL of every request. */
  readonly requests: readonly string[]
}

interface TestBrowser {
  /** Opens a page with a new profile. */
  open(options?: BrowserContextOptions): Promise<BrowserPage>
  close(): Promise<void>
}

/**
 * Starts Debian's Chromium, and installs it when it is missing. The browser sends no background requests. It resolves
 * service.test to this machine.
 */
async function startBrowser(): Promise<TestBrowser> {
  const quiet = ['background-networking', 'component-update', 'sync', 'quic', 'gpu'].map((part) => `--disable-${part}`)
  const browser: Browser = await chromium.launch({
    executablePath: await debianTool('chromium', 'chromium'),
    args: [
      '--headless',
      '--no-sandbox',
      '--no-first-run',
      '--host-resolver-rules=MAP service.test 127.0.0.1',
      ...quiet,
    ],
  })
  return {
    async open(options) {
      const context: BrowserContext = await browser.newContext(options)
      const page = await context.newPage()
      const complaints: string[] = []
      const requests: string[] = []
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
      })
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`))
      context.on('request', (request) => requests.push(request.url()))
      return { page, complaints, requests }
    },
    close: () => browser.close(),
  }
}

/** Provides a browser for the tests of a file. The first run on a machine installs it, which may take minutes. */
export function useBrowser(): Pick<TestBrowser, 'open'> {
  let browser: TestBrowser | undefined
  beforeAll(async () => {
    browser = await startBrowser()
  }, 300_000)
  afterAll(() => browser?.close())
  return { open: (options) => browser!.open(options) }
}

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
