// Node loads this file before the artifact. SIGTERM then only calls server.close(), as in many services.
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
    // Busy keep-alive connections keep such a server open, so many services exit after a delay.
    setTimeout(() => process.exit(0), 500)
  }
  return on.call(process, event, event === 'SIGTERM' ? naive : listener)
}
