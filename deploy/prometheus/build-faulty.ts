import { basename, resolve } from 'node:path'
import { bundle } from '../../scripts/bundle.ts'

/** The modules with additional routes, by the modules that import the original. */
const FAULTY: Readonly<Record<string, string>> = { 'app.ts': 'fault-routes.ts', 'upstreams.ts': 'fault-payments.ts' }

/** Builds the service with the routes of fault-routes.ts and fault-payments.ts. */
export async function buildFaulty(outfile: string): Promise<void> {
  await bundle(outfile, [
    {
      name: 'with faults',
      setup({ onResolve }) {
        onResolve({ filter: /\/(resources|handler\/payments)\.ts$/ }, ({ importer }) => {
          const file = FAULTY[basename(importer)]
          return file === undefined ? undefined : { path: resolve(import.meta.dirname, file) }
        })
      },
    },
  ])
}
