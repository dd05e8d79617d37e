import { expect, test } from '@jest/globals'
import { findStoreProblem, withStoreProblems } from './problems.ts'

const coded = (code: string) => Object.assign(new Error('as the driver says it'), { code })

/** The messages of ri_triggers.c in English, German and French. */
const FOREIGN_KEY = [
  ['update or delete on table "customers" violates foreign key constraint "a_b_fkey" on table "a"', 'still_referenced'],
  [
    'Aktualisieren oder Löschen in Tabelle »customers« verletzt Fremdschlüssel-Constraint »a_b_fkey« von Tabelle »a«',
    'still_referenced',
  ],
  [
    'UPDATE ou DELETE sur la table « customers » viole la contrainte de clé étrangère « a_b_fkey » de la table « a »',
    'still_referenced',
  ],
  ['insert or update on table "a" violates foreign key constraint "a_b_fkey"', 'reference_not_found'],
  ['Einfügen oder Aktualisieren in Tabelle »a« verletzt Fremdschlüssel-Constraint »a_b_fkey«', 'reference_not_found'],
  [
    'une instruction insert ou update sur la table « a » viole la contrainte de clé étrangère « a_b_fkey »',
    'reference_not_found',
  ],
] as const

test.each([
  [coded('23505'), 'conflict'],
  [coded('23001'), 'still_referenced'],
  ...FOREIGN_KEY.map(([message, problem]) => [Object.assign(new Error(message), { code: '23503' }), problem] as const),
  [coded('57P01'), 'database_unavailable'],
  [coded('57014'), 'database_unavailable'],
  [coded('08006'), 'database_unavailable'],
  [coded('53300'), 'database_unavailable'],
  [coded('28P01'), 'database_unavailable'],
  [coded('3D000'), 'database_unavailable'],
  [coded('40P01'), 'database_unavailable'],
  [coded('25006'), 'database_unavailable'],
  [coded('25P03'), 'database_unavailable'],
  [coded('25P04'), 'database_unavailable'],
  [coded('ECONNREFUSED'), 'database_unavailable'],
  // The Unix socket of the server does not exist, or this machine has no free file descriptor or port.
  [coded('ENOENT'), 'database_unavailable'],
  [coded('EMFILE'), 'database_unavailable'],
  [coded('ENFILE'), 'database_unavailable'],
  [coded('EADDRNOTAVAIL'), 'database_unavailable'],
  [coded('EAI_AGAIN'), 'database_unavailable'],
  [coded('EPROTO'), 'database_unavailable'],
  [coded('CERT_HAS_EXPIRED'), 'database_unavailable'],
  [coded('SELF_SIGNED_CERT_IN_CHAIN'), 'database_unavailable'],
  [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'database_unavailable'],
  [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'database_unavailable'],
  [new Error('Connection terminated unexpectedly'), 'database_unavailable'],
  [new Error('Connection terminated due to connection timeout'), 'database_unavailable'],
  [new Error('timeout exceeded when trying to connect'), 'database_unavailable'],
  [new Error('timeout expired'), 'database_unavailable'],
  [new Error('The server does not support SSL connections'), 'database_unavailable'],
  [new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), 'database_unavailable'],
  [coded('timeout'), 'database_unavailable'],
  [new Error('Query read timeout'), 'database_unavailable'],
  [new Error('Client has encountered a connection error and is not queryable'), 'database_unavailable'],
  // Defects of this program: a missing table, an invalid value for a column.
  [coded('42P01'), undefined],
  [coded('23502'), undefined],
  [coded('22P02'), undefined],
  [new TypeError('undefined is not a function'), undefined],
  [coded('precondition_failed'), undefined],
])('%s %j is the failure %s', (error, expected) => {
  expect(findStoreProblem(error)).toBe(expected)
})

test('a store fails with the code and keeps the cause, and rethrows other errors', async () => {
  const cause = coded('23505')
  const mistake = coded('42P01')
  const store = withStoreProblems({
    find: async (id: string) => `found ${id}`,
    insert: () => Promise.reject(cause),
    broken: () => Promise.reject(mistake),
  })
  expect(await store.find('1')).toBe('found 1')
  await expect(store.insert()).rejects.toMatchObject({ code: 'conflict', cause })
  await expect(store.broken()).rejects.toBe(mistake)
})
