import * as z from 'zod'
import { operation, type Route } from '#pkg/operation/index.ts'
import {
  IDEMPOTENCY_PROBLEMS,
  type Idempotency,
  idempotencyHeaders,
  idParams,
  ifMatchHeaders,
  ifNoneMatchHeaders,
  pageQuery,
  pageSchema,
  readMatch,
  storedFields,
  text,
  VERSION_HEADERS,
  versionHeaders,
} from '#pkg/resource/index.ts'

import type { Note, NoteFields, Notes } from '../service/notes.ts'

const fields = { title: text(1, 200), text: text(0, 10_000) }

const listQuery = pageQuery({ sorts: { title: fields.title } })

export const exampleFields: NoteFields = { title: 'The title', text: 'The text' }

const example: Note = {
  id: '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90',
  version: 1,
  createdAt: '2026-11-22T20:46:02.125Z',
  updatedAt: '2026-11-22T20:46:02.125Z',
  ...exampleFields,
}

// The ids are the names of the types in generated clients.
const responseSchema = z.object({ ...storedFields, ...fields }).meta({ id: 'Note', examples: [example] })

const listSchema = pageSchema('NotePage', responseSchema)

const createSchema = z
  .strictObject({ ...fields, text: fields.text.default('') })
  .meta({ id: 'CreateNote', examples: [exampleFields] })

const updateSchema = z
  .strictObject(fields)
  .partial()
  .meta({ id: 'UpdateNote', examples: [{ title: 'The title' }] })

const CHANGE_PROBLEMS = ['precondition_required', 'precondition_failed', 'database_unavailable'] as const

export interface NotesHandlerDeps {
  readonly service: Notes
  readonly idempotency: Idempotency<Notes>
}

export function notes({ service: notes, idempotency }: NotesHandlerDeps): Route[] {
  const create = operation({
    id: 'createNote',
    summary: 'Creates one note',
    headers: idempotencyHeaders,
    body: createSchema,
    responses: {
      201: {
        description: 'The note',
        schema: () => responseSchema,
        headers: { ...VERSION_HEADERS, location: 'The path of the note' },
      },
    },
    problems: ['conflict', 'database_unavailable', ...IDEMPOTENCY_PROBLEMS],
    handler: async function createNote(req, res) {
      // Each caller has its own keys.
      const scope = `POST /v1/notes ${req.auth?.subject ?? ''}`
      const key = { scope, key: req.get('idempotency-key'), body: req.receivedBody }
      const { status, headers, body } = await idempotency.once(key, async (notes) => {
        const created = await notes.create(req.body)
        return {
          status: 201,
          headers: { ...versionHeaders(created), location: `/v1/notes/${created.id}` },
          body: created,
        }
      })
      res.status(status).set(headers).json(body)
    },
  })

  const list = operation({
    id: 'listNotes',
    summary: 'Lists notes, newest first by default',
    query: listQuery,
    responses: {
      200: { description: 'A page of notes', schema: () => listSchema },
    },
    problems: ['cursor_mismatch', 'database_unavailable'],
    handler: async function listNotes(req, res) {
      res.json(await notes.list(req.query))
    },
  })

  const read = operation({
    id: 'readNote',
    summary: 'Returns one note',
    params: idParams,
    headers: ifNoneMatchHeaders,
    responses: {
      200: { description: 'The note', schema: () => responseSchema, headers: VERSION_HEADERS },
      304: { description: 'if-none-match names the current version', headers: VERSION_HEADERS },
    },
    problems: ['database_unavailable'],
    handler: async function readNote(req, res) {
      const found = await notes.get(req.params.id)
      // Express responds with 304 when if-none-match names this version.
      res.set(versionHeaders(found)).json(found)
    },
  })

  const update = operation({
    id: 'updateNote',
    summary: 'Changes some fields of one note',
    params: idParams,
    headers: ifMatchHeaders,
    body: updateSchema,
    responses: { 200: { description: 'The changed note', schema: () => responseSchema, headers: VERSION_HEADERS } },
    problems: ['conflict', ...CHANGE_PROBLEMS],
    handler: async function updateNote(req, res) {
      const updated = await notes.update(req.params.id, req.body, readMatch(req.get('if-match')))
      res.set(versionHeaders(updated)).json(updated)
    },
  })

  const remove = operation({
    id: 'deleteNote',
    summary: 'Deletes one note',
    params: idParams,
    headers: ifMatchHeaders,
    responses: { 204: { description: 'The note no longer exists' } },
    problems: ['still_referenced', ...CHANGE_PROBLEMS],
    handler: async function deleteNote(req, res) {
      await notes.remove(req.params.id, readMatch(req.get('if-match')))
      res.status(204).end()
    },
  })

  return [
    { path: '/v1/notes', post: create, get: list },
    { path: '/v1/notes/:id', get: read, patch: update, delete: remove },
  ]
}
