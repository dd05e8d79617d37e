import type { Route } from '#pkg/operation/index.ts'
import type { Executor } from '#pkg/postgres/index.ts'
import type { BindIdempotency, Idempotency } from '#pkg/resource/index.ts'
import type { RouteSettings } from './routes.ts'
import type { Postgres } from './store/postgres.ts'

interface Shared {
  readonly db: Postgres['db']
  readonly idempotency: BindIdempotency<Executor>
}

/** The dependencies that a resource may use. */
interface ResourceDeps extends Shared {
  readonly connect: Connect
  /** Returns the current settings, which may change at run time. */
  readonly settings: () => RouteSettings
}

interface HandlerDeps<Service> {
  readonly service: Service
  readonly idempotency: Idempotency<Service>
}

/** Connects the store, the rules and the operations of one resource, on the database or in a transaction. */
type Connect = <Store, Service>(
  prepareStore: (db: Postgres['db']) => (executor: Executor) => Store,
  createService: (deps: { readonly store: Store }) => Service,
  listRoutes: (deps: HandlerDeps<Service>) => Route[],
) => Route[]

/** Lists the routes of one resource. */
export type Resource = (deps: ResourceDeps) => Route[]

export function createConnect({ db, idempotency }: Shared): Connect {
  return (prepareStore, createService, listRoutes) => {
    const open = prepareStore(db)
    const bind = (executor: Executor) => createService({ store: open(executor) })
    return listRoutes({ service: bind(db), idempotency: idempotency(bind) })
  }
}
