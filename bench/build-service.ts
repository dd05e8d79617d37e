import { basename, resolve } from 'node:path'
import { bundle } from '../scripts/bundle.ts'

const REPLACEMENT = resolve(import.meta.dirname, 'service-routes.cjs')

/** This project's service with the peers' POST /echo besides its own routes. */
export async function buildService(outfile: string): Promise<void> {
  await bundle(outfile, [
    {
      name: 'with POST /echo',
      setup({ onResolve }) {
        onResolve({ filter: /\/routes\.ts$/ }, ({ importer }) =>
          basename(importer) === 'server.ts' ? { path: REPLACEMENT } : undefined,
        )
      },
    },
  ])
}
