import { randomUUID } from 'node:crypto'
import { type Run, restartInstance, scale } from './commands.ts'
import type { StateAccess } from './responder.ts'
import type { Rule } from './rules.ts'
import {
  applyOverride,
  type Defaults,
  findBase,
  findChange,
  type Override,
  readContent,
  revertOverride,
  writeContent,
} from './settings.ts'

export interface ActionOptions {
  /** The path of SETTINGS_FILE. When it is undefined, actions that change settings fail. */
  readonly settingsFile: string | undefined
  readonly defaults: Defaults
  readonly run: Run
  /** Called when a setting was restored, or could not be restored. The next `expire` tries again after a failure. */
  readonly onRestore: (override: Override, err?: unknown) => void
}

/** Creates the actions of the closed table: changes of SETTINGS_FILE with an end, and commands. */
export function createActions({ settingsFile, defaults, run, onRestore }: ActionOptions) {
  /** The changes whose last restoration failed. Only the first failure is reported. */
  const reported = new Set<string>()

  async function changeSettings(change: Pick<Override, 'setting' | 'value'>, seconds: number, access: StateAccess) {
    if (settingsFile === undefined) throw new Error('SETTINGS_FILE is not set')
    const content = await readContent(settingsFile)
    const { overrides } = access.state()
    const until = Date.now() + seconds * 1e3
    const base = findBase(content, change, overrides)
    const override: Override = { id: randomUUID(), ...change, until, seconds, base }
    // Save the end of the change first: after a crash in between, the responder still restores the setting.
    await access.save({ ...access.state(), overrides: [...overrides, override] })
    await writeContent(settingsFile, content, applyOverride(content, override, defaults))
  }

  async function restore(override: Override, access: StateAccess): Promise<void> {
    const others = access.state().overrides.filter(({ id }) => id !== override.id)
    try {
      if (settingsFile === undefined) throw new Error('SETTINGS_FILE is not set')
      const content = await readContent(settingsFile)
      await writeContent(settingsFile, content, revertOverride(content, override, others, defaults))
      await access.save({ ...access.state(), overrides: others })
      reported.delete(override.id)
      onRestore(override)
    } catch (err) {
      if (!reported.has(override.id)) onRestore(override, err)
      reported.add(override.id)
    }
  }

  return {
    async act({ action, cooldownSeconds }: Rule, target: string, access: StateAccess): Promise<void> {
      const change = findChange(action)
      if (change) await access.inTurn(() => changeSettings(change, cooldownSeconds, access))
      else if (action.type === 'scale') await scale(action, run)
      else if (action.type === 'restart_instance') await restartInstance(action, target, run)
    },
    async expire(at: number, access: StateAccess): Promise<void> {
      for (const override of access.state().overrides) {
        if (override.until <= at) await restore(override, access)
      }
    },
  }
}
