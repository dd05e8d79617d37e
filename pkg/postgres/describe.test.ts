import { expect, test } from '@jest/globals'
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely'
import { describeQuery, findOperation } from './describe.ts'

interface Tables {
  readonly notes: { readonly id: string; readonly title: string }
  readonly tags: { readonly id: string; readonly noteId: string }
}

const db = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})
const notes = db.selectFrom('notes')
const raw = (text: string) => sql.raw(text).compile(db)

test.each<[CompiledQuery, string, string | undefined]>([
  [notes.selectAll().where('id', '=', 'secret').compile(), 'SELECT notes', 'notes'],
  [db.selectFrom('notes as n').selectAll().compile(), 'SELECT notes', 'notes'],
  [notes.innerJoin('tags', 'tags.noteId', 'notes.id').select('title').compile(), 'SELECT notes tags', undefined],
  [notes.innerJoin('notes as other', 'other.id', 'notes.id').select('notes.id').compile(), 'SELECT notes', 'notes'],
  [db.selectFrom(notes.selectAll().as('n')).selectAll().compile(), 'SELECT', undefined],
  [db.insertInto('notes').values({ id: 'secret', title: 'secret' }).compile(), 'INSERT notes', 'notes'],
  [db.updateTable('notes').set({ title: 'secret' }).compile(), 'UPDATE notes', 'notes'],
  [db.deleteFrom('notes').where('id', '=', 'secret').compile(), 'DELETE notes', 'notes'],
  [raw("  select 'secret'"), 'SELECT', undefined],
  [raw('Lock table notes'), 'LOCK', undefined],
  [raw('select * from "notes" n left join tags on true'), 'SELECT notes tags', undefined],
  [raw('INSERT INTO notes (id) VALUES ($1)'), 'INSERT notes', 'notes'],
  [raw('with old as (delete from notes returning *) select 1'), 'DELETE notes', 'notes'],
  [raw("select 1 from notes where title = 'x from secret' -- from secret"), 'SELECT notes', 'notes'],
  [
    raw('with a as (select 1) insert into notes select * from a on conflict do update set x = 1'),
    'INSERT notes',
    'notes',
  ],
  [raw('select id from notes for update skip locked'), 'SELECT notes', 'notes'],
  [raw('select * from generate_series(1, 2)'), 'SELECT', undefined],
  [raw('select $$ from secret $$'), 'SELECT', undefined],
  [raw("select E'\\' from secret'"), 'SELECT', undefined],
  [raw('secret'), '_OTHER', undefined],
])('statement %#: the summary has the operation and the tables, and no value', (query, summary, collection) => {
  expect(describeQuery(query)).toEqual({ summary, name: summary.split(' ')[0], collection })
})

test.each([
  ['SelectQueryNode', 'SELECT'],
  ['InsertQueryNode', 'INSERT'],
  ['UpdateQueryNode', 'UPDATE'],
  ['DeleteQueryNode', 'DELETE'],
  ['MergeQueryNode', 'MERGE'],
  ['RawNode', '_OTHER'],
])('a query whose root is a %s is a %s', (kind, operation) => {
  expect(findOperation(kind)).toBe(operation)
})
