/** One row for each periodic job: the number of its last run, and the time from which the next run may start. */
export const up = `
create table jobs (
  name text primary key,
  run int not null default 1,
  available_at timestamptz not null
);
`
