import { expect, test } from '@jest/globals'
import { createConsul } from './consul.ts'
import { createEureka } from './eureka.ts'
import { createNacos } from './nacos.ts'
import type { RegistryRequest } from './registry-client.ts'

const instance = { id: 'orders-a/1', service: 'orders', version: '1.2.3', host: '10.0.0.5', port: 8080, isReady: true }
const { signal } = new AbortController()

/** Creates a client that records the requests and gets this response for all of them. */
function record(status: number, body = '') {
  const requests: RegistryRequest[] = []
  const request = async (each: RegistryRequest) => {
    requests.push(each)
    return { status, headers: new Headers(), body }
  }
  return { client: { request }, requests }
}

test('the entry in Consul has a TTL of three renewals, and the status of its check is set after the registration', async () => {
  const { client, requests } = record(200)
  const consul = createConsul({ client, password: 'token' })
  expect(consul.renewIntervalMs).toBe(5_000)
  await consul.register({ ...instance, isReady: false }, signal)
  await consul.deregister(instance, signal)
  const headers = { 'x-consul-token': 'token' }
  expect(requests).toEqual([
    {
      method: 'PUT',
      path: '/v1/agent/service/register',
      query: { 'replace-existing-checks': true },
      headers,
      body: {
        ID: 'orders-a/1',
        Name: 'orders',
        Address: '10.0.0.5',
        Port: 8080,
        Meta: { version: '1.2.3' },
        Check: {
          CheckID: 'service:orders-a/1',
          TTL: '15s',
          Status: 'critical',
          DeregisterCriticalServiceAfter: '10m',
        },
      },
      signal,
    },
    {
      method: 'PUT',
      path: '/v1/agent/check/update/service%3Aorders-a%2F1',
      headers,
      body: { Status: 'critical', Output: 'not ready' },
      signal,
    },
    { method: 'PUT', path: '/v1/agent/service/deregister/orders-a%2F1', headers, signal },
  ])
})

test.each([
  [404, 'Unknown check ID'],
  [500, 'CheckID "service:orders" does not have associated TTL'],
])('an agent of Consul that responds with %d has no entry', async (status, body) => {
  expect(await createConsul(record(status, body)).renew(instance, signal)).toBe('unknown')
})

test('the entry in Nacos is ephemeral, and its removal names the same fields', async () => {
  const { client, requests } = record(200, '{"code":0,"message":"success","data":"ok"}')
  const nacos = createNacos({ client, namespace: 'prod', group: 'shop' })
  expect(nacos.renewIntervalMs).toBe(5_000)
  await nacos.register(instance, signal)
  await nacos.renew(instance, signal)
  await nacos.deregister(instance, signal)
  const identity = {
    namespaceId: 'prod',
    groupName: 'shop',
    serviceName: 'orders',
    ip: '10.0.0.5',
    port: '8080',
    ephemeral: 'true',
  }
  const path = '/nacos/v3/client/ns/instance'
  expect(requests.map(({ method, path }) => [method, path])).toEqual([
    ['POST', path],
    ['POST', path],
    ['DELETE', path],
  ])
  const [register, renew, deregister] = requests
  const fields = (request?: RegistryRequest) => Object.fromEntries(request?.body as URLSearchParams)
  expect(fields(register)).toEqual({ ...identity, enabled: 'true', metadata: '{"version":"1.2.3"}' })
  expect(fields(renew)).toEqual({ ...identity, heartBeat: 'true' })
  expect(deregister?.query).toEqual(identity)
})

test('the entry in Eureka has a lease of three heartbeats, and each change has a later time', async () => {
  const { client, requests } = record(204)
  const eureka = createEureka({ client, path: '/eureka', username: 'user', password: 'pass', now: () => 1_000 })
  expect(eureka.renewIntervalMs).toBe(5_000)
  await eureka.register(instance, signal)
  await eureka.register({ ...instance, isReady: false }, signal)
  await eureka.renew(instance, signal).catch(() => 'refused: 204 is no response to a heartbeat')
  const [first, second, heartbeat] = requests
  expect(first).toMatchObject({
    method: 'POST',
    path: '/eureka/apps/ORDERS',
    headers: { authorization: 'Basic dXNlcjpwYXNz', accept: 'application/json' },
    body: {
      instance: {
        instanceId: 'orders-a/1',
        app: 'ORDERS',
        vipAddress: 'orders',
        hostName: '10.0.0.5',
        ipAddr: '10.0.0.5',
        status: 'UP',
        port: { $: 8080, '@enabled': 'true' },
        leaseInfo: { renewalIntervalInSecs: 5, durationInSecs: 15 },
        lastDirtyTimestamp: '1000',
      },
    },
  })
  expect(second).toMatchObject({ body: { instance: { status: 'DOWN', lastDirtyTimestamp: '1001' } } })
  expect(heartbeat).toMatchObject({
    method: 'PUT',
    path: '/eureka/apps/ORDERS/orders-a%2F1',
    query: { status: 'UP', lastDirtyTimestamp: 1_001 },
  })
})
