import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'dotenv'
import express from 'express'
import { WRONG } from '../test/support/wrong-environment.ts'
import { SECRETS, schema } from './env.ts'
import { ConfigError, describeConfig, type Environment, withoutSecrets } from './load.ts'
import { createSettings } from './settings.ts'

const noFiles = () => {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
}

function load(environment: Environment, files: Record<string, string> = {}) {
  return createSettings(environment, (path) => files[path] ?? noFiles()).current()
}

function findProblems(environment: Environment, files?: Record<string, string>): readonly string[] {
  try {
    load(environment, files)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('values', () => {
  test('an empty environment is a complete configuration without stores', () => {
    const config = load({})
    expect(config).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0', PORT: 8080, BODY_LIMIT: 102_400 })
    expect(config.DATABASE_URL).toBeUndefined()
    expect(config.REDIS_URL).toBeUndefined()
  })

  test('the configuration is deeply frozen', () => {
    const config = load({ HEALTH_CHECKS: 'mail=tcp://mail:25', TRUST_PROXY: '10.0.0.0/8' })
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.HEALTH_CHECKS[0]?.target)).toBe(true)
    expect(Object.isFrozen(config.TRUST_PROXY)).toBe(true)
  })

  test('an empty variable counts as unset', () => {
    expect(load({ PORT: '', DATABASE_URL: '', REDIS_URL_FILE: '' })).toMatchObject({ PORT: 8080 })
  })

  test.each([
    ['1', 1],
    ['64kb', 65_536],
    ['1mb', 1_048_576],
    ['64mb', 67_108_864],
  ])('BODY_LIMIT %s is %d bytes', (given, bytes) => {
    expect(load({ BODY_LIMIT: given }).BODY_LIMIT).toBe(bytes)
  })

  test.each([
    ['0', 0],
    ['2', 2],
    ['loopback, 10.0.0.0/8', ['loopback', '10.0.0.0/8']],
    ['fd00::/8,192.0.2.7', ['fd00::/8', '192.0.2.7']],
  ])('TRUST_PROXY %s', (given, expected) => {
    expect(load({ TRUST_PROXY: given }).TRUST_PROXY).toEqual(expected)
  })

  test.each([
    'true',
    'false',
    '-1',
    '11',
    '0.0.0.0/0',
    '0.0.0.0/1,128.0.0.0/1',
    '::ffff:0:0/96',
    '0:0:0:0:0:ffff:0:0/96',
    '0::FFFF:0:0/96',
    '::/0',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    'anyone',
    '',
    ' ',
  ])('TRUST_PROXY never trusts %j', (given) => {
    const trusted =
      given === '' ? load({ TRUST_PROXY: given }).TRUST_PROXY : findProblems({ TRUST_PROXY: given }).length
    expect(trusted).toBe(given === '' ? 0 : 1)
  })

  test.each([
    '::1.2.3.4',
    '64:ff9b::1.2.3.4',
    '1::2:1.2.3.4',
    '::ffff:1.2.3.4',
    '0:0:0:0:0:FFFF:1.2.3.4',
    'fe80::1%eth0',
    'fe80::1%eth-0',
    'fe80::1%eth0.100/64',
    'FE80::/10',
    '::',
    '1:2:3:4:5:6:7::',
  ])('TRUST_PROXY accepts %s if Express accepts it', (given) => {
    const refused = findProblems({ TRUST_PROXY: given }).length > 0
    const refusedByExpress = (() => {
      try {
        express().set('trust proxy', [given])
        return false
      } catch {
        return true
      }
    })()
    expect(refused).toBe(refusedByExpress)
  })

  test.each([
    ['https://app.example.com', ['https://app.example.com']],
    ['http://localhost:5173, https://app.example.com', ['http://localhost:5173', 'https://app.example.com']],
    ['*', ['*']],
  ])('CORS_ORIGINS %s', (given, expected) => {
    expect(load({ CORS_ORIGINS: given }).CORS_ORIGINS).toEqual(expected)
  })

  test.each([
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com:443',
    'https://APP.example.com',
    'https://*.example.com',
    'https://me@app.example.com',
    'https://app.example.com,*',
    'ftp://app.example.com',
    'null',
  ])('CORS_ORIGINS rejects %j', (given) => {
    expect(findProblems({ CORS_ORIGINS: given })).toEqual([
      expect.stringMatching(/^CORS_ORIGINS: got .* origins such as/),
    ])
  })

  test('HEALTH_CHECKS accepts HTTP, TCP and command targets', () => {
    const given = 'pay=https://pay/live?deep=1, mail=tcp://[::1]:25 ,disk=command:/bin/df -k /data'
    expect(load({ HEALTH_CHECKS: given, HEALTH_CRITICAL: 'pay' }).HEALTH_CHECKS).toEqual([
      { name: 'pay', target: { type: 'http', url: 'https://pay/live?deep=1' } },
      { name: 'mail', target: { type: 'tcp', host: '::1', port: 25 } },
      { name: 'disk', target: { type: 'command', file: '/bin/df', args: ['-k', '/data'] } },
    ])
  })

  test.each([
    'pay',
    'pay=',
    'pay=ftp://x/',
    'pay=tcp://x',
    'pay=tcp://x:1/path',
    'pay=command:df',
    'pay=https://user:secret@x/',
    'redis=tcp://x:1',
    'a=tcp://x:1,a=tcp://x:2',
  ])('HEALTH_CHECKS rejects %s', (given) => {
    expect(findProblems({ HEALTH_CHECKS: given })).toEqual([expect.stringMatching(/^HEALTH_CHECKS: got /)])
  })
})

describe('problems', () => {
  test('twenty invalid values give one message of twenty lines that shows no secret', () => {
    const problems = findProblems(WRONG)
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(Object.keys(WRONG))
    expect(problems).toContain('PORT: got "80a", expected an integer from 0 to 65535')
    const { message } = new ConfigError(problems)
    expect(message).toMatch(/^invalid configuration, 20 problems:\n/)
    expect(message).not.toContain('hunter2')
  })

  test('the rules between variables are checked together with the variables', () => {
    expect(
      findProblems({ PORT: 'x', DRAIN_DELAY_MS: '9000', SHUTDOWN_TIMEOUT_MS: '9000', HEALTH_CRITICAL: 'pay' }),
    ).toEqual([
      'PORT: got "x", expected an integer from 0 to 65535',
      'SHUTDOWN_TIMEOUT_MS: got "9000", expected more than DRAIN_DELAY_MS (9000), which it includes',
      'HEALTH_CRITICAL: got "pay", expected names from HEALTH_CHECKS (which has none)',
    ])
    expect(findProblems({ HEADERS_TIMEOUT_MS: '40000' })).toEqual([
      'HEADERS_TIMEOUT_MS: got "40000", expected at most REQUEST_TIMEOUT_MS (15000)',
    ])
  })

  test('PORT may not share its socket with the metrics, also when they have their default port', () => {
    const problem = (port: string) =>
      `PORT: got "${port}", expected a port other than ADMIN_PORT (${port}), because REUSE_PORT would let both share it`
    expect(findProblems({ PORT: '9464', REUSE_PORT: 'true' })).toEqual([problem('9464')])
    expect(findProblems({ PORT: '8081', ADMIN_PORT: '8081', REUSE_PORT: 'true' })).toEqual([problem('8081')])
    expect(findProblems({ PORT: '0', ADMIN_PORT: '0', REUSE_PORT: 'true' })).toEqual([])
    expect(findProblems({ PORT: '9464', ADMIN_PORT: '0', REUSE_PORT: 'true' })).toEqual([])
    expect(findProblems({ PORT: '9464' })).toEqual([])
  })

  test('an operator can decide about background operations only where overload is controlled', () => {
    expect(findProblems({ BROWNOUT: 'on' })).toEqual([
      'BROWNOUT: got "on", expected auto, unless OVERLOAD_WAIT_MS is set',
    ])
    expect(findProblems({ BROWNOUT: 'on', OVERLOAD_WAIT_MS: '20' })).toEqual([])
    expect(findProblems({ BROWNOUT: 'maybe' })).toHaveLength(1)
  })

  test('the timeout of a check may not exceed its interval', () => {
    expect(findProblems({ HEALTH_INTERVAL_MS: '500' })).toEqual([
      'HEALTH_TIMEOUT_MS: got "1000", expected at most HEALTH_INTERVAL_MS (500)',
    ])
  })

  test.each([
    { REDIS_URL: 'redis://h:6379/abc' },
    { REDIS_URL: 'redis://:p%zz@h' },
    { DATABASE_URL: 'postgres://u:p%zz@h/db' },
    { DATABASE_URL: 'postgres:///db' },
    { DATABASE_URL: 'postgres://app:12/hunter2@db:5432/app' },
    { DATABASE_URL: 'postgres://app:12?hunter2@db:5432/app' },
    { DATABASE_URL: 'postgres://app:12#hunter2@db:5432/app' },
    { DATABASE_URL: 'postgres://%E4:%BD%A0@db:5432/app' },
    { DATABASE_URL: 'postgres://app:hunter2@%zz/app' },
    { DATABASE_URL: 'postgres://app:hunter2@db1,db2:5432/app' },
    { REDIS_URL: 'redis://cache1,cache2' },
  ])('a URL that its driver cannot parse is rejected: %j', (environment) => {
    expect(findProblems(environment)).toEqual([expect.stringMatching(/a secret value .* expected a URL such as/)])
  })

  test('a placeholder password is rejected in production only', () => {
    const environment = { DATABASE_URL: 'postgres://app:changeme@db/app', REDIS_URL: 'redis://:Password@cache' }
    expect(findProblems(environment)).toHaveLength(2)
    expect(findProblems(environment).join()).not.toMatch(/changeme|Password@/)
    expect(findProblems({ ...environment, NODE_ENV: 'development' })).toEqual([])
  })
})

describe('secrets', () => {
  test('a secret may come from a file, and its trailing line feed is removed', () => {
    const config = load({ DATABASE_URL_FILE: '/run/db' }, { '/run/db': 'postgres://app:s3cret@db/app\n' })
    expect(config.DATABASE_URL).toBe('postgres://app:s3cret@db/app')
  })

  test('the file of a secret must exist and have content, and X and X_FILE must not both be set', () => {
    expect(findProblems({ DATABASE_URL_FILE: '/nowhere' })).toEqual([
      'DATABASE_URL_FILE: got "/nowhere", expected a file that can be read (ENOENT)',
    ])
    expect(findProblems({ REDIS_URL_FILE: '/empty' }, { '/empty': '\n' })[0]).toMatch(
      /expected a file that is not empty/,
    )
    expect(findProblems({ REDIS_URL: 'redis://x', REDIS_URL_FILE: '/run/x' })[0]).toMatch(
      /because REDIS_URL is set too/,
    )
  })

  test('a secret in the wrong variable is not shown', () => {
    const wrong = {
      DATABASE_URL_FILE: 'postgres://app:hunter2@db/app',
      SESSION_SECRET_FILE: 'hunter2'.repeat(5),
      HEALTH_CHECKS: 'pay=https://user:hunter2@x/',
      SETTINGS_FILE: 'postgres://app:hunter2@db/app',
    }
    expect(findProblems(wrong)).toHaveLength(4)
    expect(findProblems({ SETTINGS_FILE: '//app:hunter2@db/app' })).toEqual([expect.not.stringContaining('hunter2')])
    expect(findProblems(wrong).join()).not.toContain('hunter2')
  })

  test('a device is rejected as the file of a secret', () => {
    expect(() => createSettings({ DATABASE_URL_FILE: '/dev/zero' })).toThrow(/not a regular file of at most 1 MiB/)
  })

  test('the description masks secrets and keeps the server and the database', () => {
    const text = describeConfig(load({ DATABASE_URL: 'postgres://app:s3cret@db:5433/app?password=s3cret', PORT: '1' }))
    expect(JSON.parse(text)).toMatchObject({ DATABASE_URL: 'postgres://***@db:5433/app?***', PORT: 1 })
    expect(text).not.toContain('s3cret')
    expect(JSON.parse(text)).not.toHaveProperty('REDIS_URL')
  })
})

describe('URLs that are not secrets', () => {
  const AUTH = { AUTH_ISSUER: 'https://issuer/', AUTH_AUDIENCE: 'orders' }

  test.each([
    'https://user:hunter2@issuer/keys',
    'https://hunter2@issuer/keys',
    'https://issuer/keys?token=hunter2',
    'https://issuer/keys#hunter2',
    `https://user:${'hunter2'.repeat(20)}@issuer/keys`,
    'user:hunter2@issuer/keys',
    '//user:hunter2@issuer/keys',
    'https://user:hun ter2@issuer/?token=hunter2',
  ])('AUTH_JWKS_URL %s is rejected and the credential is not shown', (AUTH_JWKS_URL) => {
    const problems = findProblems({ ...AUTH, AUTH_JWKS_URL })
    expect(problems).toEqual([expect.stringMatching(/^AUTH_JWKS_URL: got .* expected a URL /)])
    expect(problems.join()).not.toMatch(/hunter2|hun ter2/)
  })

  test('the error for credentials and a query says what a URL may not contain', () => {
    expect(findProblems({ ...AUTH, AUTH_JWKS_URL: 'https://user:pw@issuer/keys?token=x' })).toEqual([
      'AUTH_JWKS_URL: got "https://***@issuer/keys?***", expected a URL without credentials, query and fragment, such as https://issuer.example.com/jwks.json',
    ])
  })

  test('the queries and the credentials in HEALTH_CHECKS are masked in the description', () => {
    const HEALTH_CHECKS =
      'pay=https://pay/live?token=hunter2,ask=command:/usr/bin/curl https://u:hunter2@ask/?token=hunter2'
    const text = describeConfig(load({ HEALTH_CHECKS }))
    expect(text).not.toContain('hunter2')
    expect(JSON.parse(text).HEALTH_CHECKS).toEqual([
      { name: 'pay', target: { type: 'http', url: 'https://pay/live?***' } },
      { name: 'ask', target: { type: 'command', file: '/usr/bin/curl', args: ['https://***@ask/?***'] } },
    ])
  })

  test('the query of a check keeps its value for the check itself', () => {
    const [check] = load({ HEALTH_CHECKS: 'pay=https://pay/live?token=x' }).HEALTH_CHECKS
    expect(check?.target).toEqual({ type: 'http', url: 'https://pay/live?token=x' })
  })

  test.each(['pay=https://pay/live?token=hunter2,pay=tcp://x:1', 'pay=https://pay/?a=1,token=hunter2'])(
    'the queries in HEALTH_CHECKS are masked in the error: %s',
    (HEALTH_CHECKS) => {
      expect(findProblems({ HEALTH_CHECKS })).toEqual([expect.stringMatching(/^HEALTH_CHECKS: got "pay=https:/)])
      expect(findProblems({ HEALTH_CHECKS }).join()).not.toContain('hunter2')
    },
  )

  test('a file name with an at sign is shown', () => {
    expect(describeConfig(load({ HEALTH_CHECKS: 'a=command:/opt/app@1/check /data@2' }))).toContain('/opt/app@1/check')
    expect(findProblems({ SETTINGS_FILE: '/etc/app@1/settings.json' }).join()).toContain('/etc/app@1/settings.json')
  })
})

describe('access', () => {
  const TOKENS = { AUTH_JWKS_URL: 'https://issuer/keys', AUTH_ISSUER: 'https://issuer/', AUTH_AUDIENCE: 'orders' }
  const REDIS_URL = 'redis://cache'
  const secret = (letter: string) => `${letter}://${letter.repeat(40)}`

  test('the AUTH_ variables must be set together or not at all', () => {
    expect(findProblems(TOKENS)).toEqual([])
    for (const missing of Object.keys(TOKENS)) {
      const problems = findProblems({ ...TOKENS, [missing]: '' })
      expect(problems).toHaveLength(2)
      expect(problems.join()).toContain('all of them or none')
    }
  })

  test('in production, the issuer keys must come over TLS or from the loopback address', () => {
    const from = (AUTH_JWKS_URL: string, NODE_ENV = 'production') =>
      findProblems({ ...TOKENS, AUTH_JWKS_URL, NODE_ENV })
    expect(from('http://issuer/keys')).toEqual([
      expect.stringMatching(/^AUTH_JWKS_URL: .* expected https in production/),
    ])
    expect(from('http://127.0.0.1.evil.net/keys')).toHaveLength(1)
    expect(from('http://127.0.0.1:1/keys')).toEqual([])
    expect(from('http://issuer/keys', 'development')).toEqual([])
    expect(from('file:///etc/keys')).toEqual([expect.stringContaining('a URL such as https://')])
  })

  test('SESSION_SECRET is a list of long texts, may come from a file, and is not shown', () => {
    const SESSION_SECRET = `${secret('a')}, ${secret('b')}`
    expect(load({ ...TOKENS, REDIS_URL, SESSION_SECRET }).SESSION_SECRET).toEqual([secret('a'), secret('b')])
    const config = load({ ...TOKENS, REDIS_URL, SESSION_SECRET_FILE: '/run/s' }, { '/run/s': `${SESSION_SECRET}\n` })
    expect(config.SESSION_SECRET).toHaveLength(2)
    expect(JSON.parse(describeConfig(config))).toMatchObject({ SESSION_SECRET: '***' })
    for (const short of [`${secret('a')},`, `${secret('a')},short`, 'x'.repeat(31)]) {
      expect(findProblems({ ...TOKENS, REDIS_URL, SESSION_SECRET: short })).toEqual([
        'SESSION_SECRET: got a secret value (not shown), expected texts of at least 32 characters, separated by commas',
      ])
    }
  })

  test('sessions require Redis, bearer tokens and exact origins', () => {
    const SESSION_SECRET = secret('a')
    const needs = [expect.stringMatching(/^SESSION_SECRET: .* expected REDIS_URL and AUTH_JWKS_URL to be set too$/)]
    expect(findProblems({ ...TOKENS, SESSION_SECRET })).toEqual(needs)
    expect(findProblems({ REDIS_URL, SESSION_SECRET })).toEqual(needs)
    expect(findProblems({ ...TOKENS, REDIS_URL, SESSION_SECRET, CORS_ORIGINS: '*' })).toEqual([
      'CORS_ORIGINS: got "*", expected exact origins, because SESSION_SECRET is set',
    ])
  })
})

describe('.env', () => {
  const files = { '.env': 'PORT=9000\nLOG_LEVEL=debug\n' }

  test('is read in development, and the environment takes precedence', () => {
    expect(load({ NODE_ENV: 'development', PORT: '9001' }, files)).toMatchObject({ PORT: 9001, LOG_LEVEL: 'debug' })
  })

  test('an empty value in .env counts as unset, as in .env.example', () => {
    const example = { '.env': 'PORT=9000\nSERVICE_NAME=\nLOG_LEVEL=\n' }
    expect(load({ NODE_ENV: 'development' }, example)).toMatchObject({ PORT: 9000, LOG_LEVEL: 'info' })
  })

  test('a secret in the environment takes precedence in either form, and .env may name the file of a secret', () => {
    const secrets = {
      '.env': 'REDIS_URL_FILE=/run/redis\n',
      '/run/redis': 'redis://file',
      '/run/other': 'redis://other',
    }
    const NODE_ENV = 'development'
    expect(load({ NODE_ENV }, secrets).REDIS_URL).toBe('redis://file')
    expect(load({ NODE_ENV, REDIS_URL: 'redis://real' }, secrets).REDIS_URL).toBe('redis://real')
    expect(load({ NODE_ENV, REDIS_URL_FILE: '/run/other' }, secrets).REDIS_URL).toBe('redis://other')
  })

  test.each(['production', 'test', ''])('is not read when NODE_ENV is %j', (environment) => {
    expect(load({ NODE_ENV: environment }, files)).toMatchObject({ PORT: 8080, LOG_LEVEL: 'info' })
  })

  test('an unreadable .env is a problem, and a missing .env is not', () => {
    const denied = () => {
      throw Object.assign(new Error('denied'), { code: 'EACCES' })
    }
    expect(() => createSettings({ NODE_ENV: 'development' }, denied)).toThrow(/\.env: .*EACCES/)
    expect(load({ NODE_ENV: 'development' }).PORT).toBe(8080)
  })
})

test('the environment of a command has neither the secrets nor the variables of their files', () => {
  const environment = { PATH: '/bin', SETTINGS_FILE: '/etc/settings.json' }
  const secrets = [...SECRETS].flatMap((name) => [name, `${name}_FILE`])
  const given = { ...environment, ...Object.fromEntries(secrets.map((name) => [name, 'x'])) }
  expect(withoutSecrets(given)).toEqual(environment)
})

describe('.env.example', () => {
  const text = readFileSync('.env.example', 'utf8')
  // A variable has no space after its #, and a sentence has one.
  const example = parse(text.replace(/^#(?=[A-Z][A-Z0-9_]*=)/gm, ''))

  test('changes nothing when it is copied to .env', () => {
    expect(parse(text)).toEqual({})
    const NODE_ENV = 'development'
    expect(load({ NODE_ENV }, { '.env': text })).toEqual(load({ NODE_ENV }))
  })

  test('names exactly the variables of the schema, in the same order', () => {
    expect(Object.keys(example)).toEqual(Object.keys(schema))
  })

  test('shows the defaults', () => {
    expect(load(example)).toEqual(load({}))
  })

  test('marks each secret', () => {
    for (const name of SECRETS) expect(text).toMatch(new RegExp(`\\(secret\\)[^\\n]*\\n(#[^\\n]*\\n)*#${name}=`))
  })
})
