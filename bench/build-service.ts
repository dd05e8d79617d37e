import { basename, resolve } from 'node:path'
import { bundle } from '../scripts/bundle.ts'

const ROUTES = resolve(import.meta.dirname, 'service-routes.cjs')

/** Builds this project's service with one route more: the peers' POST /echo. */
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
