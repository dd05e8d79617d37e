import { afterAll, beforeAll } from '@jest/globals'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { debianTool } from './tools.ts'

export interface BrowserPage {
  readonly page: Page
  /** Problems that the browser reported: script errors, policy violations, failed requests. */
  readonly complaints: readonly string[]
  /** The address of everything that was asked for. */
  readonly requests: readonly string[]
}

interface TestBrowser {
  /** A page of a profile of its own. */
  open(options?: BrowserContextOptions): Promise<BrowserPage>
  close(): Promise<void>
}

/**
 * Debian's Chromium, which is installed when it is missing, and which asks nobody for anything of its own. It knows this
 * machine as service.test too.
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

/** A browser for the tests of a file. Their first run on a machine installs it, which may take minutes. */
export function useBrowser(): Pick<TestBrowser, 'open'> {
  let browser: TestBrowser | undefined
  beforeAll(async () => {
    browser = await startBrowser()
  }, 300_000)
  afterAll(() => browser?.close())
  return { open: (options) => browser!.open(options) }
}
