import { basename, resolve } from 'node:path'
import { bundle } from '../../scripts/bundle.ts'

const ROUTES = resolve(import.meta.dirname, 'fault-routes.ts')

/** Builds the service with the routes of fault-routes.ts. */
export async function buildFaulty(outfile: string): Promise<void> {
  await bundle(outfile, [
    {
      name: 'with faults',
      setup({ onResolve }) {
        onResolve({ filter: /\/resources\.ts$/ }, ({ importer }) =>
          basename(importer) === 'app.ts' ? { path: ROUTES } : undefined,
        )
      },
    },
  ])
}
