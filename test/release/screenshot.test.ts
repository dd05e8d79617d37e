import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, expect, jest, test } from '@jest/globals'
import { killApps, startApp } from '../support/app.ts'
import { useBrowser } from '../support/browser.ts'
import { freePort } from '../support/services.ts'
import { useStores } from '../support/stores.ts'

/* `make screenshot` runs this test with WRITE=1, which writes the image of the README. */
jest.setTimeout(120_000)

const FILE = 'docs/images/board.png'
const SIZE = { width: 1100, height: 760 }

const browser = useBrowser()
const stores = useStores()
afterEach(killApps)

/** Reads width and height from the header of a PNG. */
const readSize = (png: Buffer) => ({ width: png.readUInt32BE(16), height: png.readUInt32BE(20) })

test('the README has a screenshot of the board, which shows the routes and a failed request with its cause', async () => {
  const port = await freePort()
  const env = {
    ADMIN_PORT: String(port),
    FEATURES: 'board',
    DATABASE_URL: stores.database.url,
    REDIS_URL: stores.redis.url,
  }
  const { url } = await startApp({ env: { ...env, SERVICE_NAME: 'orders' } })
  const create = (title: string) =>
    fetch(`${url}/v1/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title, text: '' }),
    })
  for (let count = 0; count < 40; count++) {
    await create(`Note ${count}`)
    await fetch(`${url}/ping`)
    await fetch(`${url}/v1/notes?limit=20`)
  }
  expect((await create('Note 0')).status).toBe(409)
  stores.database.hang()
  expect((await fetch(`${url}/v1/notes?limit=20`)).status).toBe(503)
  stores.database.resume()

  const { page } = await browser.open({ viewport: SIZE, colorScheme: 'light' })
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.getByText('/v1/notes').first().waitFor()
  const png = await page.screenshot()
  expect(readSize(png)).toEqual(SIZE)
  if (process.env['WRITE'] === '1') {
    mkdirSync('docs/images', { recursive: true })
    writeFileSync(FILE, png)
  }
  expect(readSize(readFileSync(FILE))).toEqual(SIZE)
  expect(readFileSync('README.md', 'utf8')).toContain(`](${FILE})`)
})
