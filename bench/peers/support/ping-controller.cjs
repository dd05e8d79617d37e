const { Controller, Get } = require('@nestjs/common')

class PingController {
  ping() {
    return { message: 'pong' }
  }
}
// The compiled form of @Get('ping') and @Controller().
Get('ping')(PingController.prototype, 'ping', Object.getOwnPropertyDescriptor(PingController.prototype, 'ping'))
Controller()(PingController)

exports.PingController = PingController
