import { expect, test } from '@jest/globals'
import { parseSlots, planSlots, type Slot } from './haproxy-slots.ts'

/** The response of HAProxy 2.6, shortened to two servers. */
const RESPONSE = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 orders 1 slot1 10.0.0.1 2 0 1 1 19 6 3 7 6 0 0 0 - 8080 - 0 0 - - 0
3 orders 2 slot2 127.0.0.1 0 5 1 1 19 1 0 0 14 0 0 0 - 1 - 0 0 - - 0
3 orders 3 slot3 2001:db8::1 2 8 5 1 19 6 3 7 6 0 0 0 - 80 - 0 0 - - 0
3 orders 4 backup 10.0.0.9 2 0 1 1 19 6 3 7 6 0 0 0 - 8080 - 0 0 - - 0

`

const endpoint = (n: number, weight = 1) => ({ host: `10.0.0.${n}`, port: 80, weight })
const slot = (n: number, key: string, state: Slot['state'] = 'ready', weight = 1): Slot => ({
  name: `slot${n}`,
  key,
  state,
  weight,
})
const EMPTY = [1, 2, 3].map((n) => slot(n, '127.0.0.1:1', 'maint'))

test('the slots are read, and other servers of the backend are ignored', () => {
  expect(parseSlots(RESPONSE, 'slot')).toEqual([
    slot(1, '10.0.0.1:8080'),
    slot(2, '127.0.0.1:1', 'maint'),
    slot(3, '[2001:db8::1]:80', 'drain', 5),
  ])
})

test.each([
  ["Can't find backend.\n", "Can't find backend."],
  ['Permission denied\n\n', 'Permission denied'],
  ['', 'empty response'],
])('the error %j of HAProxy is an error', (response, message) => {
  expect(() => parseSlots(response, 'slot')).toThrow(message)
})

test('empty slots get the endpoints', () => {
  expect(planSlots('orders', EMPTY, [endpoint(1), endpoint(2)])).toEqual({
    commands: [
      'set server orders/slot1 addr 10.0.0.1 port 80',
      'set server orders/slot1 state ready',
      'set server orders/slot2 addr 10.0.0.2 port 80',
      'set server orders/slot2 state ready',
    ],
    excess: [],
  })
})

test('slots that have the endpoints get no command', () => {
  const slots = [slot(1, '10.0.0.2:80'), slot(2, '10.0.0.1:80'), slot(3, '10.0.0.9:80', 'maint')]
  expect(planSlots('orders', slots, [endpoint(1), endpoint(2)]).commands).toEqual([])
})

test('an endpoint keeps its slot, an addition comes before a removal, and a removed endpoint gets no requests', () => {
  const slots = [slot(1, '10.0.0.1:80'), slot(2, '10.0.0.2:80'), ...EMPTY.slice(2)]
  expect(planSlots('orders', slots, [endpoint(2), endpoint(3)]).commands).toEqual([
    'set server orders/slot3 addr 10.0.0.3 port 80',
    'set server orders/slot3 state ready',
    'set server orders/slot1 state maint',
  ])
})

test('an endpoint that replaces another one in the last slot waits for the maintenance of the slot', () => {
  expect(planSlots('orders', [slot(1, '10.0.0.1:80')], [endpoint(2)]).commands).toEqual([
    'set server orders/slot1 state maint',
    'set server orders/slot1 addr 10.0.0.2 port 80',
    'set server orders/slot1 state ready',
  ])
})

test('an endpoint that returns gets its old slot', () => {
  const slots = [slot(1, '10.0.0.1:80'), slot(2, '10.0.0.2:80', 'maint'), ...EMPTY.slice(2)]
  expect(planSlots('orders', slots, [endpoint(1), endpoint(2)]).commands).toEqual([
    'set server orders/slot2 state ready',
  ])
})

test('weights are set when they differ, and weight 0 drains', () => {
  const slots = [slot(1, '10.0.0.1:80'), slot(2, '10.0.0.2:80'), slot(3, '10.0.0.3:80', 'drain')]
  expect(planSlots('orders', slots, [endpoint(1, 1), endpoint(2, 0), endpoint(3, 2)]).commands).toEqual([
    'set server orders/slot1 weight 50',
    'set server orders/slot2 state drain',
    'set server orders/slot3 weight 100',
    'set server orders/slot3 state ready',
  ])
})

test('endpoints without a slot are named, and the others get theirs', () => {
  const { commands, excess } = planSlots('orders', EMPTY.slice(0, 1), [endpoint(1), endpoint(2), endpoint(3)])
  expect(commands).toHaveLength(2)
  expect(excess).toEqual(['10.0.0.2:80', '10.0.0.3:80'])
})

test('two slots with one address become one', () => {
  const slots = [slot(1, '10.0.0.1:80'), slot(2, '10.0.0.1:80')]
  expect(planSlots('orders', slots, [endpoint(1)]).commands).toEqual(['set server orders/slot2 state maint'])
})
