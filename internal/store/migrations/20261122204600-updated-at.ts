export const formerly = '0001-updated-at'

/** Tables with `updated_at` use it: `create trigger … before update … execute function set_updated_at()`. */
export const up = `
create function set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end
$$
`
