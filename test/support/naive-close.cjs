// Node runs this before the artifact: SIGTERM then does what many services do, and no more.
const { Server } = require('node:http')
const { Server: NetServer } = require('node:net')

const servers = new Set()
const { listen } = NetServer.prototype
NetServer.prototype.listen = function (...args) {
  servers.add(this)
  return listen.apply(this, args)
}

const { on } = process
process.on = (event, listener) => {
  const naive = () => {
    for (const server of servers) Server.prototype.close.call(server, () => process.exit(0))
    // As they all have it sooner or later: connections that are used all the time keep such a server open.
    setTimeout(() => process.exit(0), 500)
  }
  return on.call(process, event, event === 'SIGTERM' ? naive : listener)
}
