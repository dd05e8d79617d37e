/** Each key is the hash of the caller, the operation and the `idempotency-key` header. */
export const up = `
create table idempotency_keys (
  id char(43) primary key,
  fingerprint char(43) not null,
  -- Status, headers and body as JSON text: the types json and jsonb would change the text or the names in it.
  response text not null default '',
  created_at timestamptz not null default now()
);
create index idempotency_keys_oldest_first on idempotency_keys (created_at);
`
