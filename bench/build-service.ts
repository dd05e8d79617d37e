import { basename, resolve } from 'node:path'
import { bundle } from '../scripts/bundle.ts'

const ROUTES = resolve(import.meta.dirname, 'service-routes.cjs')

/** Builds the service with one more route, POST /echo, which the peers have too. */
export async function buildService(outfile: string): Promise<void> {
  await bundle(outfile, [
    {
      name: 'with POST /echo',
      setup({ onResolve }) {
        onResolve({ filter: /\/routes\.ts$/ }, ({ importer }) =>
          basename(importer) === 'app.ts' ? { path: ROUTES } : undefined,
        )
      },
    },
  ])
}
