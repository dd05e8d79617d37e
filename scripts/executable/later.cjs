'use strict'
/*
 * Returns a stand-in for the module that `load` returns. The first operation on the stand-in loads the module, and
 * every operation is forwarded to it. `type` is the module's typeof: 'function' or 'object'.
 */
module.exports = function later(load, type) {
  // A bound class can be called and constructed, and each of its properties can be deleted.
  const target = type === 'function' ? class {}.bind() : {}
  let module
  const operations = Object.getOwnPropertyNames(Reflect).map((name) => [
    name,
    (_, ...args) => {
      module ??= load()
      // The module also replaces the stand-in as the receiver of a property and as the target of `new`.
      const result = Reflect[name](module, ...args.map((arg) => (arg === proxy ? module : arg)))
      if (name !== 'getOwnPropertyDescriptor' && name !== 'defineProperty') return result
      // A proxy may report a property that cannot be deleted only if its target has the same property.
      const property = Reflect.getOwnPropertyDescriptor(module, args[0])
      if (property?.configurable === false) Object.defineProperty(target, args[0], property)
      return result
    },
  ])
  const proxy = new Proxy(target, Object.fromEntries(operations))
  return proxy
}
