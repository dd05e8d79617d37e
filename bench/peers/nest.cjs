require('reflect-metadata')
const { Module } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { default: helmet } = require('helmet')
const { Logger, LoggerModule } = require('nestjs-pino')
const { PingController } = require('./support/ping-controller.cjs')

class AppModule {}
Module({ imports: [LoggerModule.forRoot()], controllers: [PingController] })(AppModule)

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { bufferLogs: true })
  app.useLogger(app.get(Logger))
  app.use(helmet())
  await app.listen(process.env.PORT, process.env.HOST)
}
bootstrap()
