type Hook = (run: () => void) => void

const { afterAll: jestAfterAll, afterEach: jestAfterEach } = globalThis as { afterAll?: Hook; afterEach?: Hook }

/** The hook of jest. Outside of jest, as in `make chaos`, it calls `run` when the process exits. */
export const afterAll: Hook = jestAfterAll ?? ((run) => void process.once('exit', run))

/** The hook of jest. Outside of jest, it does nothing. */
export const afterEach: Hook = jestAfterEach ?? (() => undefined)
