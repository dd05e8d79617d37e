-- Rows for development: `make seed`. A second run must change nothing.
insert into notes (title, text) values
  ('Milk', 'Two bottles'),
  ('Bread', ''),
  ('Call Ada', 'About the analytical engine')
on conflict (title) do nothing;

-- Enough rows for several pages of a list.
insert into notes (title, text)
select 'Note ' || number, 'Written by make seed' from generate_series(1, 100) as number
on conflict (title) do nothing;
