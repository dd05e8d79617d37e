import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { build } from 'esbuild'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { loadLater } from './load-later.ts'

const require = createRequire(import.meta.url)
const later: <Module>(load: () => Module, type: string) => Module = require('./executable/later.cjs')

const modules: Readonly<Record<string, object>> = Object.fromEntries(
  ['http-errors', 'iconv-lite', 'mime-types', 'qs', 'statuses', 'crypto', 'zlib'].map((name) => [name, require(name)]),
)

describe.each(Object.entries(modules))('%s, loaded later, behaves like the module', (_name, module) => {
  const lazy = () => later(() => module, typeof module)

  test('for typeof, in, the keys, spread and for…in', () => {
    expect(typeof lazy()).toBe(typeof module)
    expect(Reflect.ownKeys(lazy())).toEqual(Reflect.ownKeys(module))
    expect(Object.keys(lazy())).toEqual(Object.keys(module))
    expect({ ...lazy() }).toEqual({ ...module })
    const keys: string[] = []
    for (const key in lazy()) keys.push(key)
    expect(keys).toEqual(Object.keys(module))
    for (const key of Object.keys(module)) expect(key in lazy()).toBe(true)
    expect('no such key' in lazy()).toBe(false)
  })

  test('for descriptors and the prototype', () => {
    expect(Object.getOwnPropertyDescriptors(lazy())).toEqual(Object.getOwnPropertyDescriptors(module))
    expect(Object.getPrototypeOf(lazy())).toBe(Object.getPrototypeOf(module))
    for (const key of Object.keys(module)) expect(Reflect.get(lazy(), key)).toBe(Reflect.get(module, key))
  })
})

describe('a class that is loaded later', () => {
  class Shape {
    static #count = 0
    static get count() {
      return Shape.#count
    }
    readonly target: unknown
    readonly sides: number
    constructor(sides: number) {
      this.target = new.target
      this.sides = sides
      Shape.#count += 1
    }
  }
  const lazy = later(() => Shape, 'function')

  test('works with new, extends and instanceof', () => {
    const square = new lazy(4)
    expect(square).toMatchObject({ sides: 4, target: Shape })
    expect(square).toBeInstanceOf(Shape)
    expect(square instanceof lazy).toBe(true)
    expect({} instanceof lazy).toBe(false)
    class Square extends lazy {}
    expect(new Square(4)).toBeInstanceOf(Shape)
    expect(new Square(4)).toBeInstanceOf(Square)
  })

  test('runs its accessors on the class, so private members work', () => {
    expect(lazy.count).toBe(Shape.count)
  })
})

test('a call of a function that is loaded later passes the receiver and the arguments', () => {
  const receiver = {
    sum: later(
      () =>
        function (this: unknown, ...values: number[]) {
          return [this, values.reduce((a, b) => a + b)]
        },
      'function',
    ),
  }
  expect(receiver.sum(1, 2)).toEqual([receiver, 3])
  expect(later(() => (value: number) => value + 1, 'function').apply(undefined, [1])).toBe(2)
})

test('the first operation loads the module, and the next operation does not load it again', () => {
  let loads = 0
  const lazy = later(() => ({ loads: ++loads }), 'object')
  expect(loads).toBe(0)
  expect('loads' in lazy).toBe(true)
  expect({ ...lazy }).toEqual({ loads: 1 })
  expect(loads).toBe(1)
})

test('an assignment, a definition and a removal change the module', () => {
  const module: Record<string, unknown> = { a: 1, b: 2 }
  const lazy = later(() => module, 'object')
  lazy.a = 3
  delete lazy.b
  Object.defineProperty(lazy, 'c', { value: 4, enumerable: true })
  expect(module).toEqual({ a: 3, c: 4 })
  expect(Object.getOwnPropertyDescriptor(lazy, 'c')).toEqual(Object.getOwnPropertyDescriptor(module, 'c'))
})

describe('a bundle', () => {
  const bundle = async (contents: string, names: readonly string[]) => {
    const outfile = join(temporaryDirectory('load-later'), 'bundle.cjs')
    const stdin = { contents, resolveDir: dirname(import.meta.dirname), sourcefile: 'entry.cjs' }
    const plugins = [loadLater(names)]
    const options = { bundle: true, platform: 'node', format: 'cjs', logLevel: 'silent' } as const
    const { warnings } = await build({ ...options, stdin, outfile, plugins })
    return { exports: require(outfile), warnings: warnings.map(({ text }) => text) }
  }

  test('shares one module between all packages that require it, and its classes and functions work', async () => {
    const entry = `
      const errors = require('http-errors')
      module.exports = { errors, same: require('http-errors') === errors, type: typeof errors }`
    const { exports, warnings } = await bundle(entry, ['http-errors'])
    expect(warnings).toEqual([])
    expect(exports).toMatchObject({ same: true, type: 'function' })
    expect(new exports.errors.NotFound()).toMatchObject({ status: 404 })
    expect(exports.errors(418)).toMatchObject({ status: 418 })
  })

  test('is built with a warning about a name that no package requires', async () => {
    const { exports, warnings } = await bundle('module.exports = 1', ['qs'])
    expect(exports).toBe(1)
    expect(warnings).toEqual(['no package requires "qs", so it cannot be loaded later'])
  })
})
