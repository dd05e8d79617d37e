import { afterAll, beforeAll } from '@jest/globals'
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
