export const formerly = '0002-notes'

export const up = `
create table "notes" (
  id uuid primary key default gen_random_uuid(),
  "title" varchar(200) not null unique,
  "text" varchar(10000) not null,
  version integer not null default 1,
  -- Milliseconds, because the cursors of lists have milliseconds.
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);
create index "notes_newest_first" on "notes" (created_at desc, id desc);
create trigger "notes_updated_at" before update on "notes" for each row execute function set_updated_at();
`
