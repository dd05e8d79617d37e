import { basename, resolve } from 'node:path'
import { bundle } from '../scripts/bundle.ts'

const ROUTES = resolve(import.meta.dirname, 'service-routes.cjs')

/** Builds the service with a further route, the POST /echo of the peers. */
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
