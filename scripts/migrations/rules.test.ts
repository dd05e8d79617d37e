import { expect, test } from '@jest/globals'
import { findUnsafe } from './rules.ts'

const kinds = (up: string | readonly string[], options: { transaction?: boolean } = {}) =>
  findUnsafe({ up, ...options }).map(({ kind }) => kind)

test.each([
  'drop table notes',
  'drop table if exists "notes" cascade',
  'DROP VIEW recent_notes',
  'truncate notes',
  'alter table notes drop column text',
  'alter table only "notes" drop text',
  'alter table notes rename to memos',
  'alter table notes rename column text to body',
  'alter table notes rename text to body',
  'alter view recent_notes rename to latest_notes',
  "alter type mood rename value 'ok' to 'fine'",
  'alter table notes set schema archive',
  'alter table notes alter column title type text',
  'alter table notes alter title set data type text using title::text',
  'alter table notes alter column title set not null',
  'alter table notes alter column title drop default',
  'alter table notes add column owner uuid not null',
  'alter table notes add column a int, add column b int not null',
  'alter table notes\n  add owner uuid -- default\n  not null',
])('%s breaks the version that still runs, unless it is the contract step', (up) => {
  expect(kinds(up)).toEqual(['breaks'])
  expect(findUnsafe({ up, phase: 'contract' })).toEqual([])
  expect(findUnsafe({ up, blocking: 'the table is small' })).toHaveLength(1)
})

test.each([
  'create index notes_title on notes (title)',
  'create unique index if not exists notes_title on public.notes using btree (title)',
  'drop index notes_title',
  'reindex table notes',
  'refresh materialized view recent_notes',
  'alter table notes add constraint owned foreign key (owner) references users (id)',
  'alter table notes add check (length(title) > 0)',
  'alter table notes add constraint one unique (title)',
  'alter table notes add primary key (id)',
  'alter table notes add column slug text unique',
  "alter table notes add column state text not null default 'open' check (state in ('open', 'done'))",
  'alter table notes add column key uuid default gen_random_uuid()',
  'alter table notes add column number bigserial',
  'alter table notes add column size int generated always as (length(text)) stored',
  'alter table notes add constraint a check (x > 0) not valid; alter table notes validate constraint a',
  "update notes set text = ''",
  'lock table notes',
])('%s makes writers wait, unless the migration states why this is acceptable', (up) => {
  expect(kinds(up)).toEqual(['blocks'])
  expect(findUnsafe({ up, blocking: 'the table is small' })).toEqual([])
  expect(findUnsafe({ up, phase: 'contract' })).toHaveLength(1)
})

test.each([
  'create table a (id int primary key, b text not null unique); create index a_b on a (b); update a set b = null',
  'create table "Things" (id int); alter table "Things" add column x int not null; create index on "Things" (x)',
  'alter table notes add column owner uuid',
  "alter table notes add column state text not null default 'open'",
  'alter table notes add column sent_at timestamptz not null default now()',
  'alter table notes add constraint a check (x > 0) not valid',
  'alter table notes validate constraint a',
  'alter table notes add constraint a unique using index notes_title',
  'alter table notes drop constraint a',
  'alter table notes rename constraint a to b',
  'alter table notes alter column title drop not null',
  "alter table notes alter column title set default ''",
  "insert into notes (title) values ('drop table notes; truncate notes')",
  '/* drop table notes; */ select 1 -- ; drop table notes',
  'create function f() returns void language plpgsql as $body$ begin drop table notes; end $body$',
  'update notes set text = title where id = 1',
  "alter type mood add value 'fine'",
])('%s is safe', (up) => {
  expect(findUnsafe({ up })).toEqual([])
})

test('the advice for an index is a migration that passes', () => {
  const [{ advice = '' } = {}] = findUnsafe({ up: 'create index notes_title on notes (title)' })
  expect(advice).toContain('export const transaction = false')
  expect(advice).toContain('create index concurrently if not exists')
})

const concurrently = 'create index concurrently if not exists notes_title on notes (title)'

test('a concurrent index must be created outside a transaction, by a statement that can run again', () => {
  expect(kinds(concurrently, { transaction: false })).toEqual([])
  expect(kinds(concurrently)).toEqual(['fails'])
  expect(kinds('create index concurrently notes_title on notes (title)', { transaction: false })).toEqual(['fails'])
  expect(kinds('drop index concurrently notes_title', { transaction: false })).toEqual(['fails'])
  expect(kinds('drop index concurrently if exists notes_title', { transaction: false })).toEqual([])
})

test('several statements outside a transaction must be a list, and a migration must not end a transaction itself', () => {
  expect(kinds(`${concurrently}; analyze notes`, { transaction: false })).toEqual(['fails'])
  expect(kinds([concurrently, 'analyze notes'], { transaction: false })).toEqual([])
  expect(kinds('begin; select 1; commit')).toEqual(['fails', 'fails'])
  expect(findUnsafe({ up: concurrently, phase: 'contract', blocking: 'x' })).toHaveLength(1)
})
