import { expect, test } from '@jest/globals'
import { parseExperiment, resolveConfiguration, substitute } from './experiment.ts'
import { isWithinTolerance } from './tolerance.ts'

const valid = () => ({
  version: '1.0.0',
  title: 'The service survives',
  description: 'It may not.',
  configuration: {
    url: { type: 'env', key: 'BASE_URL', default: 'http://localhost' },
    seconds: { type: 'env', key: 'SECONDS', default: 2, env_var_type: 'int' },
  },
  'steady-state-hypothesis': {
    title: 'It serves',
    probes: [
      { type: 'probe', name: 'ping', tolerance: 200 as unknown, provider: { type: 'http', url: '${url}/ping' } },
    ],
  },
  method: [
    { type: 'action', name: 'pause', provider: { type: 'process', path: 'true' } as Record<string, unknown> },
    { type: 'action', name: 'call', provider: { type: 'http', url: '${url}' } as Record<string, unknown> },
  ],
})

const parse = (change: (experiment: ReturnType<typeof valid>) => unknown = () => undefined) => {
  const experiment = valid()
  change(experiment)
  return parseExperiment(JSON.stringify(experiment), 'x.json')
}

test('a valid experiment has its configuration from the environment, or the defaults', () => {
  const experiment = parse()
  expect(resolveConfiguration(experiment, {})).toEqual({ url: 'http://localhost', seconds: 2 })
  const variables = resolveConfiguration(experiment, { BASE_URL: 'http://a', SECONDS: '3' })
  expect(substitute({ url: '${url}/ping', pauses: ['${seconds}'] }, variables)).toEqual({
    url: 'http://a/ping',
    pauses: [3],
  })
})

test('a variable that is unset and has no default is an error', () => {
  const experiment = parse((each) => {
    each.configuration.url = { type: 'env', key: 'BASE_URL' } as never
  })
  expect(() => resolveConfiguration(experiment, {})).toThrow('configuration.url: the variable BASE_URL is unset')
})

test.each<[string, string, (experiment: ReturnType<typeof valid>) => unknown]>([
  ['an unknown key', 'x.json: Unrecognized key: "speed"', (each) => Object.assign(each, { speed: 1 })],
  [
    'an unknown key of an activity',
    'x.json: method[1]: Unrecognized key: "tolerence"',
    (each) => Object.assign(each.method[1]!, { tolerence: 200 }),
  ],
  [
    'an unknown key of a provider',
    'x.json: method[1].provider: Unrecognized key: "verify"',
    (each) => Object.assign(each.method[1]!.provider, { verify: true }),
  ],
  [
    'an unknown provider',
    'x.json: method[0].provider.type: Invalid',
    (each) => Object.assign(each.method[0]!.provider, { type: 'python' }),
  ],
  [
    'an unknown variable',
    'x.json: method[1].provider.url: host is not in the configuration',
    (each) => Object.assign(each.method[1]!.provider, { url: 'http://${host}' }),
  ],
  [
    'an unknown tolerance',
    'x.json: steady-state-hypothesis.probes[0].tolerance: Invalid input',
    (each) => Object.assign(each['steady-state-hypothesis'].probes[0]!, { tolerance: true }),
  ],
  [
    'a tolerance without its target',
    'x.json: steady-state-hypothesis.probes[0].tolerance.target: Invalid',
    (each) =>
      Object.assign(each['steady-state-hypothesis'].probes[0]!, { tolerance: { type: 'range', range: [0, 1] } }),
  ],
  [
    'a pattern that is no regular expression',
    'x.json: steady-state-hypothesis.probes[0].tolerance.pattern: expected a regular expression',
    (each) =>
      Object.assign(each['steady-state-hypothesis'].probes[0]!, {
        tolerance: { type: 'regex', target: 'body', pattern: '(' },
      }),
  ],
  [
    'a signal that is no regular expression',
    'x.json: extensions[0].signal: expected a regular expression',
    (each) => Object.assign(each, { extensions: [{ name: 'stage', signal: '(' }] }),
  ],
])('%s is an error that names the place', (_, message, change) => {
  expect(() => parse(change)).toThrow(message)
})

test('a text that is not JSON is an error that names the file', () => {
  expect(() => parseExperiment('{', 'x.json')).toThrow(/^x\.json: /)
})

test.each([
  [200, { status: 200 }, true],
  [200, { status: 503 }, false],
  [[200, 503], { status: 503 }, true],
  [[200, 503], { status: 500 }, false],
  [{ type: 'range', target: 'body', range: [0, 0.1] }, { status: 200, body: '0.1\n' }, true],
  [{ type: 'range', target: 'body', range: [0, 0.1] }, { status: 200, body: 0.2 }, false],
  [{ type: 'range', target: 'body', range: [0, 0.1] }, { status: 200, body: 'none' }, false],
  [{ type: 'range', target: 'body', range: [0, 0.1] }, { status: 200, body: '' }, false],
  [{ type: 'range', target: 'body', range: [0, 9] }, { status: 200, body: '5 ms' }, false],
  [{ type: 'range', target: 'body', range: [0, 9] }, { status: 200, body: null }, false],
  [{ type: 'range', target: 'body', range: [0, 9] }, { status: 200, body: [] }, false],
  [{ type: 'range', target: 'body', range: [0, 9] }, { status: 200 }, false],
  [{ type: 'regex', target: 'stdout', pattern: '^ok' }, { status: 0, stdout: 'ok then' }, true],
  [{ type: 'regex', target: 'stdout', pattern: '^ok' }, { status: 0, stdout: 'not ok' }, false],
] as const)('the tolerance %j of %j is met: %s', (tolerance, output, isMet) => {
  expect(isWithinTolerance(tolerance as never, output)).toBe(isMet)
})
