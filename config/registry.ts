import type * as z from 'zod'
import { createFormat, text } from './formats.ts'

const HOST = String.raw`(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])`
const USER = '(?:[A-Za-z0-9._~%-]{1,255}@)?'
const PATH = '/[A-Za-z0-9._~-]{1,128}'

const isPort = (text: string | undefined) => text === undefined || (Number(text) >= 1 && Number(text) <= 65_535)

/** The address of a registry. `parseRegistry` of pkg/discovery accepts every address that this format accepts. */
const registry = () =>
  createFormat(
    'consul://host:8500, nacos://user@host:8848/namespace/group or eureka://host:8761/eureka, with +https after the ' +
      'scheme for TLS, and without a password, which belongs to REGISTRY_PASSWORD',
    (text) => {
      const patterns = [
        String.raw`consul(?:\+https)?://${HOST}(?::(\d{1,5}))?/?`,
        String.raw`nacos(?:\+https)?://${USER}${HOST}(?::(\d{1,5}))?(?:${PATH}){0,2}/?`,
        String.raw`eureka(?:\+https)?://${USER}${HOST}(?::(\d{1,5}))?(?:${PATH})*/?`,
      ]
      const found = patterns.map((pattern) => new RegExp(`^${pattern}$`).exec(text)).find((match) => match !== null)
      // A malformed encoding throws.
      decodeURIComponent(text)
      return found && isPort(found[1]) ? text : undefined
    },
  )

export function parseAddress(text: string): { host: string; port: number } | undefined {
  const [, host, port] = new RegExp(String.raw`^(${HOST}):(\d{1,5})$`).exec(text) ?? []
  if (host === undefined || !isPort(port)) return undefined
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** The address of this instance for its clients. */
const advertise = () =>
  createFormat('host:port of this instance, such as 10.0.0.5:8080 or [2001:db8::5]:8080', parseAddress)

/** The variables of the registration in a registry. */
export const registryVariables = {
  REGISTRY: registry().optional(),
  REGISTRY_PASSWORD: text(/^[\x20-\x7e]{1,4096}$/, 'at most 4096 printable characters').optional(),
  ADVERTISE: advertise().optional(),
}

type Values = { readonly [K in keyof typeof registryVariables]?: z.output<(typeof registryVariables)[K]> }

/** Checks the rules between the variables of the registry, like `findContradictions`. */
export function findRegistryContradictions(config: Values): { name: keyof Values; expected: string }[] {
  const { REGISTRY, REGISTRY_PASSWORD: password, ADVERTISE } = config
  const isAlone = 'REGISTRY' in config && REGISTRY === undefined
  const lacksPassword = 'REGISTRY_PASSWORD' in config && password === undefined
  // A token of Consul has no user.
  const lacksUser = /^(nacos|eureka)[^@]*$/.test(REGISTRY ?? '')
  const rules = [
    ['REGISTRY_PASSWORD', 'REGISTRY to be set too', isAlone && password !== undefined],
    ['ADVERTISE', 'REGISTRY to be set too', isAlone && ADVERTISE !== undefined],
    ['REGISTRY_PASSWORD', 'a user in REGISTRY', password !== undefined && lacksUser],
    ['REGISTRY', 'REGISTRY_PASSWORD to be set too, because of the user', lacksPassword && REGISTRY?.includes('@')],
  ] as const
  return rules.filter(([, , isWrong]) => isWrong).map(([name, expected]) => ({ name, expected }))
}
