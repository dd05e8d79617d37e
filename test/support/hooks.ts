type AddHook = (hook: () => unknown) => void

/** The globals of jest, which a program that is not a test lacks. */
const jest = globalThis as { readonly afterEach?: AddHook; readonly afterAll?: AddHook }

/** Runs the hook after each test of the file. A program has no tests. */
export const afterEach: AddHook = (hook) => jest.afterEach?.(hook)

/** Runs the hook after the tests of the file, or at the exit of the program. The hook must be synchronous. */
export const afterAll: AddHook = (hook) => (jest.afterAll ? jest.afterAll(hook) : process.once('exit', hook))
