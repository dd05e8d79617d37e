import type { Sizing } from './sizing.ts'

/** Returns the values of a sizing as patches of a kustomize overlay. */
export function renderPatches(sizing: Sizing, name: string): string {
  const { replicas, maxReplicas, utilization, cpuMillis } = sizing
  const resources = renderResources(sizing)
  return [
    'patches:',
    '  - target:',
    '      kind: HorizontalPodAutoscaler',
    `      name: ${name}`,
    '    patch: |-',
    ...replace('/spec/minReplicas', replicas),
    ...replace('/spec/maxReplicas', maxReplicas),
    // A percentage of the CPU request.
    ...(cpuMillis === undefined ? [] : replace('/spec/metrics/0/resource/target/averageUtilization', utilization)),
    ...(resources.length === 0
      ? []
      : [
          '  - target:',
          '      kind: Deployment',
          `      name: ${name}`,
          '    patch: |-',
          ...resources.flatMap(([path, value]) => replace(path, value)),
        ]),
  ].join('\n')
}

const replace = (path: string, value: string | number) => [
  '      - op: replace',
  `        path: ${path}`,
  `        value: ${value}`,
]

function renderResources({ cpuMillis, memoryMib }: Sizing): readonly (readonly [path: string, value: string])[] {
  const path = '/spec/template/spec/containers/0/resources'
  return [
    ...(cpuMillis === undefined ? [] : [[`${path}/requests/cpu`, `${cpuMillis}m`] as const]),
    ...(memoryMib === undefined
      ? []
      : [
          [`${path}/requests/memory`, `${memoryMib.request}Mi`] as const,
          [`${path}/limits/memory`, `${memoryMib.limit}Mi`] as const,
        ]),
  ]
}

/** Returns commands that change a running cluster until the next `kubectl apply -k`. */
export function renderCommands(sizing: Sizing, name: string): readonly string[] {
  const { replicas, maxReplicas, cpuMillis, memoryMib } = sizing
  const requests = [
    ...(cpuMillis === undefined ? [] : [`cpu=${cpuMillis}m`]),
    ...(memoryMib === undefined ? [] : [`memory=${memoryMib.request}Mi`]),
  ]
  const limits = memoryMib === undefined ? '' : ` --limits=memory=${memoryMib.limit}Mi`
  const spec = JSON.stringify({ spec: { minReplicas: replicas, maxReplicas } })
  return [
    `kubectl patch hpa ${name} --patch '${spec}'`,
    ...(requests.length === 0
      ? []
      : [`kubectl set resources deployment/${name} -c server --requests=${requests.join(',')}${limits}`]),
  ]
}

/** Returns the lines for settings.env of the kustomize base. */
export const renderSettings = ({ pool }: Sizing): readonly string[] =>
  pool === undefined ? [] : [`DATABASE_POOL_MAX=${pool.perInstance}`]
