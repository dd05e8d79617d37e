'use strict'
/*
 * Stands for the module that `load` returns, and loads it at the first operation. An operation on the result is the
 * same operation on the module. `type` is the module's typeof: 'function' or 'object'.
 */
module.exports = function later(load, type) {
  // A bound function can be constructed too, and each of its properties can be deleted.
  const target = type === 'function' ? (() => {}).bind() : {}
  let module
  function loaded() {
    if (module !== undefined) return module
    module = load()
    // A proxy may report a property that cannot be deleted only if its target has the same property.
    for (const key of Reflect.ownKeys(module)) {
      const property = Reflect.getOwnPropertyDescriptor(module, key)
      if (!property.configurable) Object.defineProperty(target, key, property)
    }
    return module
  }
  const operations = Object.getOwnPropertyNames(Reflect).map((name) => [
    name,
    // The receiver of a property and the target of `new` are the module as well.
    (_, ...args) => Reflect[name](loaded(), ...args.map((arg) => (arg === proxy ? module : arg))),
  ])
  const proxy = new Proxy(target, Object.fromEntries(operations))
  return proxy
}
