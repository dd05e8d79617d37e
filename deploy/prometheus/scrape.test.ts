import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { succeed } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { debianTool } from '../../test/support/tools.ts'

/*
 * Debian's Prometheus has no discovery for Kubernetes and Consul. So each test provides the labels that the discovery
 * would find, according to https://prometheus.io/docs/prometheus/latest/configuration/configuration/, and promtool
 * relabels them.
 */
const FOUND: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>> = {
  'kubernetes.yml': [
    pod({ __meta_kubernetes_pod_container_port_number: '8080' }),
    pod({ __meta_kubernetes_pod_container_port_number: '9464' }),
    pod({ __meta_kubernetes_pod_name: 'with-ipv6', __meta_kubernetes_pod_ip: 'fd00:1::2' }),
    pod({
      __meta_kubernetes_pod_name: 'without-annotation',
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: '',
    }),
    pod({ __meta_kubernetes_pod_name: 'finished', __meta_kubernetes_pod_phase: 'Succeeded' }),
    pod({ __meta_kubernetes_pod_name: 'init', __meta_kubernetes_pod_container_init: 'true' }),
  ],
  'consul.yml': [
    instance({ __meta_consul_service_address: '10.0.0.11' }),
    instance({ __meta_consul_service_address: '', __meta_consul_address: '10.0.0.12' }),
    instance({ __meta_consul_service_address: '10.0.0.13', __meta_consul_service_metadata_admin_port: '9465' }),
    instance({ __meta_consul_service_address: 'fd00:1::2' }),
  ],
}

function pod(labels: Readonly<Record<string, string>>) {
  return {
    __meta_kubernetes_namespace: 'shop',
    __meta_kubernetes_pod_name: 'orders-5d9c-x2x',
    __meta_kubernetes_pod_ip: '10.1.2.3',
    __meta_kubernetes_pod_phase: 'Running',
    __meta_kubernetes_pod_container_init: 'false',
    __meta_kubernetes_pod_annotation_prometheus_io_scrape: 'true',
    __meta_kubernetes_pod_annotation_prometheus_io_port: '9464',
    __meta_kubernetes_pod_label_app_kubernetes_io_name: 'orders',
    ...labels,
  }
}

function instance(labels: Readonly<Record<string, string>>) {
  const common = {
    __meta_consul_service: 'orders',
    __meta_consul_address: '10.0.0.1',
    __meta_consul_service_port: '8080',
  }
  return { ...common, ...labels }
}

/** Returns the targets after promtool has relabelled the discovered targets. */
async function relabel(file: string): Promise<readonly unknown[]> {
  const [job] = parse(readFileSync(join(import.meta.dirname, 'scrape', file), 'utf8')).scrape_configs
  const { kubernetes_sd_configs: _, consul_sd_configs: __, ...rest } = job
  const found = FOUND[file]!.map((labels, index) => ({ targets: [`found-${index}:80`], labels }))
  const path = join(temporaryDirectory('scrape'), file)
  writeFileSync(path, JSON.stringify({ scrape_configs: [{ ...rest, static_configs: found }] }))
  const promtool = await debianTool('promtool', 'prometheus')
  const results: { labels: Record<string, string> | null }[] = JSON.parse(
    await succeed(promtool, ['check', 'service-discovery', '--timeout=1s', path, job.job_name]),
  )
  const targets = results.flatMap(({ labels }) => (labels && Object.keys(labels).length > 0 ? [labels] : []))
  const texts = targets.map(({ __address__: address, job, instance, namespace, pod }) => ({
    address,
    job,
    instance,
    ...(namespace && { namespace, pod }),
  }))
  // Prometheus scrapes targets with equal labels once, and prints the targets in no order.
  const byText = new Map(texts.map((target) => [JSON.stringify(target), target]))
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target)
}

test('every example has a test', () => {
  const files = globSync('scrape/*.yml', { cwd: import.meta.dirname }).map((path) => basename(path))
  expect(files.toSorted()).toEqual(Object.keys(FOUND).toSorted())
})

test('in Kubernetes each annotated pod is one target, with the name of the service and of the pod', async () => {
  expect(await relabel('kubernetes.yml')).toEqual([
    { address: '10.1.2.3:9464', job: 'orders', instance: 'orders-5d9c-x2x', namespace: 'shop', pod: 'orders-5d9c-x2x' },
    { address: '[fd00:1::2]:9464', job: 'orders', instance: 'with-ipv6', namespace: 'shop', pod: 'with-ipv6' },
  ])
})

test('with Consul each instance is a target on the default admin port, or on the port of its metadata', async () => {
  expect(await relabel('consul.yml')).toEqual([
    { address: '10.0.0.11:9464', job: 'orders', instance: '10.0.0.11:9464' },
    { address: '10.0.0.12:9464', job: 'orders', instance: '10.0.0.12:9464' },
    { address: '10.0.0.13:9465', job: 'orders', instance: '10.0.0.13:9465' },
    { address: '[fd00:1::2]:9464', job: 'orders', instance: '[fd00:1::2]:9464' },
  ])
})

test('with Consul the name selects the instances, because the service registers without tags', () => {
  const [job] = parse(readFileSync(join(import.meta.dirname, 'scrape/consul.yml'), 'utf8')).scrape_configs
  expect(job.consul_sd_configs).toEqual([{ server: 'localhost:8500', services: [expect.any(String)] }])
})
