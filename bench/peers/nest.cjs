require('reflect-metadata')
const { Controller, Get, Module } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { default: helmet } = require('helmet')
const { Logger, LoggerModule } = require('nestjs-pino')

class PingController {
  ping() {
    return { message: 'pong' }
  }
}
// The compiled form of @Get('ping') and @Controller().
Get('ping')(PingController.prototype, 'ping', Object.getOwnPropertyDescriptor(PingController.prototype, 'ping'))
Controller()(PingController)

class AppModule {}
Module({ imports: [LoggerModule.forRoot()], controllers: [PingController] })(AppModule)

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { bufferLogs: true })
  app.useLogger(app.get(Logger))
  app.use(helmet())
  await app.listen(process.env.PORT, process.env.HOST)
}
bootstrap()
