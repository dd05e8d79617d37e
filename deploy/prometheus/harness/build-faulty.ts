import { basename, resolve } from 'node:path'
import { bundle } from '../../../scripts/bundle.ts'

/** The replacements of a module, by the modules that import it. */
const FAULTY: Readonly<Record<string, string>> = { 'app.ts': 'fault-routes.ts', 'upstreams.ts': 'fault-upstream.ts' }

/** Builds the service with the routes of fault-routes.ts. */
export async function buildFaulty(outfile: string): Promise<void> {
  await bundle(outfile, [
    {
      name: 'with faults',
      setup({ onResolve }) {
        onResolve({ filter: /\/resources\.ts$|^#pkg\/upstream\/index\.ts$/ }, ({ importer }) => {
          const file = FAULTY[basename(importer)]
          return file === undefined ? undefined : { path: resolve(import.meta.dirname, file) }
        })
      },
    },
  ])
}
