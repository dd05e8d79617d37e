-- Each insert waits for 50 ms without the CPU, as it would for a lock or a slow disk.
create function wait_for_50_ms() returns trigger language plpgsql as $$
begin
  perform pg_sleep(0.05);
  return new;
end $$;
create trigger notes_wait before insert on notes for each row execute function wait_for_50_ms();
