// Nest with TypeORM, as in the documentation of Nest.
require('reflect-metadata')
const { Body, Controller, Get, Headers, HttpException, Module, Param, ParseUUIDPipe, Patch, Post, Query } =
  require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { getRepositoryToken, TypeOrmModule } = require('@nestjs/typeorm')
const { default: helmet } = require('helmet')
const { Logger, LoggerModule } = require('nestjs-pino')
const typeorm = require('typeorm')
const { PingController } = require('../peers/support/ping-controller.cjs')
const { parseVersion } = require('./notes.cjs')

class Note {}
// Call the decorators directly, as the output of a compiler does for properties, methods and parameters.
typeorm.Entity('notes')(Note)
typeorm.PrimaryGeneratedColumn('uuid')(Note.prototype, 'id')
typeorm.VersionColumn()(Note.prototype, 'version')
typeorm.CreateDateColumn({ name: 'created_at', type: 'timestamptz' })(Note.prototype, 'createdAt')
typeorm.UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })(Note.prototype, 'updatedAt')
typeorm.Column({ type: 'varchar' })(Note.prototype, 'title')
typeorm.Column({ type: 'varchar' })(Note.prototype, 'text')

class NotesController {
  constructor(notes) {
    this.notes = notes
  }

  async list(limit) {
    const rows = await this.notes.find({ order: { createdAt: 'DESC', id: 'DESC' }, take: Number(limit) + 1 })
    return { items: rows.slice(0, limit), next: rows.length > limit ? rows.at(-2).id : null }
  }

  create({ title, text = '' }) {
    return this.notes.save(this.notes.create({ title, text }))
  }

  async read(id) {
    const note = await this.notes.findOneBy({ id })
    if (note === null) throw new HttpException('Not Found', 404)
    return note
  }

  async update(id, ifMatch, { text }) {
    const note = await this.read(id)
    if (note.version !== parseVersion(ifMatch)) throw new HttpException('Precondition Failed', 412)
    return this.notes.save(this.notes.merge(note, { text }))
  }
}
Reflect.defineMetadata('self:paramtypes', [{ index: 0, param: getRepositoryToken(Note) }], NotesController)
Reflect.defineMetadata('design:paramtypes', [typeorm.Repository], NotesController)

const { prototype } = NotesController
const decorate = (method, decorators, parameters) => {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method)
  for (const decorator of decorators) decorator(prototype, method, descriptor)
  for (const [index, decorator] of parameters.entries()) decorator(prototype, method, index)
}
decorate('list', [Get()], [Query('limit')])
decorate('create', [Post()], [Body()])
decorate('read', [Get(':id')], [Param('id', ParseUUIDPipe)])
decorate('update', [Patch(':id')], [Param('id', ParseUUIDPipe), Headers('if-match'), Body()])
Controller('v1/notes')(NotesController)

class AppModule {}
Module({
  imports: [
    LoggerModule.forRoot(),
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, entities: [Note], poolSize: 10 }),
    TypeOrmModule.forFeature([Note]),
  ],
  controllers: [PingController, NotesController],
})(AppModule)

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { bufferLogs: true })
  app.useLogger(app.get(Logger))
  app.use(helmet())
  const server = await app.listen(process.env.PORT, process.env.HOST)
  server.keepAliveTimeout = 75_000
}
bootstrap()
