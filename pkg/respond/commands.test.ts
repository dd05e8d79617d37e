import { execFileSync } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, jest, test } from '@jest/globals'
import { createRun, restartInstance, scale } from './commands.ts'

/** Records the commands. Each command gets the output of the function, which may throw. */
function record(output: (line: string) => string) {
  const lines: string[] = []
  const run = async (file: string, args: readonly string[]) => {
    const line = [file, ...args].join(' ')
    lines.push(line)
    return output(line)
  }
  return { lines, run }
}

const KUBECTL = { type: 'scale', by: 2, max: 5, kubectl: { namespace: 'default', deployment: 'orders' } } as const
const SYSTEMD = { type: 'scale', by: 2, max: 4, systemd: { unit: 'app', first: 9465 } } as const
const RESTART_UNIT = { type: 'restart_instance', systemd: { unit: 'app' } } as const
const inactive = () => {
  throw Object.assign(new Error('inactive'), { code: 3 })
}

describe('scale with kubectl', () => {
  test.each([
    ['1\n', 3],
    ['4\n', 5],
  ])('from %j replicas to %d', async (current, replicas) => {
    const { lines, run } = record((line) => (line.includes(' get ') ? current : ''))
    await scale(KUBECTL, run)
    expect(lines[1]).toBe(
      `kubectl scale --namespace default deployment/orders --current-replicas=${Number(current)} --replicas=${replicas}`,
    )
  })

  test.each([
    ['5', '5 replicas are running, and the maximum is 5'],
    ['9', '9 replicas are running, and the maximum is 5'],
    ['', 'kubectl reported no number of replicas'],
    ['1;rm', 'kubectl reported no number of replicas'],
  ])('with %j replicas it fails', async (current, message) => {
    const { lines, run } = record(() => current)
    await expect(scale(KUBECTL, run)).rejects.toThrow(message)
    expect(lines).toHaveLength(1)
  })
})

describe('scale with systemd', () => {
  test('starts the first instances that are not active', async () => {
    const { lines, run } = record((line) =>
      /is-active.*@946[67]/.test(line) || line.includes('start') ? '' : inactive(),
    )
    await scale(SYSTEMD, run)
    expect(lines.at(-1)).toBe('systemctl start app@9465.service app@9468.service')
  })

  test('fails when all instances are active, and when systemd does not know', async () => {
    await expect(scale(SYSTEMD, record(() => '').run)).rejects.toThrow('4 instances are running')
    const broken = record(() => {
      throw Object.assign(new Error('no bus'), { code: 1 })
    })
    await expect(scale(SYSTEMD, broken.run)).rejects.toThrow('no bus')
    expect(broken.lines).toHaveLength(1)
  })
})

test('an instance is restarted by its unit or its pod', async () => {
  const { lines, run } = record((line) => (line.includes(' show ') ? 'active\n' : ''))
  await restartInstance(RESTART_UNIT, 'app@9465', run)
  await restartInstance({ type: 'restart_instance', kubectl: { namespace: 'default' } }, 'orders-1', run)
  expect(lines).toEqual([
    'systemctl show --value --property=ActiveState app@9465.service',
    'systemctl restart app@9465.service',
    'kubectl delete pod --wait=false --namespace default orders-1',
  ])
})

test('a restart starts no instance that systemd does not run', async () => {
  const { lines, run } = record(() => 'inactive\n')
  await expect(restartInstance(RESTART_UNIT, 'app@1234', run)).rejects.toThrow('systemd does not run app@1234.service')
  expect(lines.filter((line) => line.includes('restart'))).toEqual([])
})

describe('a command', () => {
  const run = createRun({ PATH: '/usr/bin:/bin', WORD: 'hello' })
  test('gets its arguments without a shell, and only the given environment', async () => {
    expect(await run('printf', ['%s|', '$(id)', '; rm', 'a\nb'])).toBe('$(id)|; rm|a\nb|')
    expect((await run('env', [])).trim().split('\n').toSorted()).toEqual(['PATH=/usr/bin:/bin', 'WORD=hello'])
  })

  test('that fails rejects with its code and its error output, and so does a missing command', async () => {
    await expect(run('sh', ['-c', 'echo broken >&2; exit 3'])).rejects.toMatchObject({
      code: 3,
      message: 'sh failed: broken',
    })
    await expect(run('missing-command', [])).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('that hangs is killed with the processes that it has started', async () => {
    const child = `sleep 20000.${process.pid}`
    const hanging = createRun({ PATH: '/usr/bin:/bin' }, 500)('sh', ['-c', `${child} & wait`])
    await expect(hanging).rejects.toThrow('sh failed: no exit within 500 ms')
    const isRunning = () => execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).includes(child)
    for (let looks = 0; looks < 100 && isRunning(); looks++) await setImmediate()
    expect(isRunning()).toBe(false)
  })

  test('that hangs and cannot be killed rejects at the limit too', async () => {
    const { kill } = process
    const mock = jest.spyOn(process, 'kill').mockImplementation(() => {
      throw new Error('EPERM')
    })
    let pid = 0
    try {
      const hanging = createRun({ PATH: '/usr/bin:/bin' }, 500)('sh', ['-c', 'exec sleep 60'])
      await expect(hanging).rejects.toMatchObject({ code: 'timeout', message: 'sh failed: no exit within 500 ms' })
      pid = Number(mock.mock.calls[0]?.[0])
    } finally {
      mock.mockRestore()
    }
    kill.call(process, pid, 'SIGKILL')
  })
})
