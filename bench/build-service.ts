import { resolve } from 'node:path'
import { bundle } from '../scripts/bundle.ts'

export interface Replacement {
  /** End of the path of the module to replace. */
  readonly module: string
  /** End of the path of the module that imports it. */
  readonly importer: string
  /** The replacement. It is CommonJS, because it shares code with the peers. */
  readonly file: string
}

/** Builds the service with one module replaced. */
export async function buildService(outfile: string, { module, importer, file }: Replacement): Promise<void> {
  await bundle(outfile, [
    {
      name: 'replace a module',
      setup({ onResolve }) {
        onResolve({ filter: /\.ts$/ }, (args) =>
          args.path.endsWith(module) && args.importer.endsWith(importer) ? { path: resolve(file) } : undefined,
        )
      },
    },
  ])
}
