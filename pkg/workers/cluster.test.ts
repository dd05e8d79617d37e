import { expect, jest, test } from '@jest/globals'
import { createOrders } from './cluster.ts'

function listen(orders: ReturnType<typeof createOrders>) {
  const heard: string[] = []
  for (const signal of ['SIGTERM', 'SIGINT'] as const) orders.on(signal, () => heard.push(signal))
  return heard
}

test('a second order is no second signal, and one without delay hurries the first', () => {
  const orders = createOrders()
  const hurry = jest.fn()
  orders.onHurry(hurry)
  const heard = listen(orders)
  orders.give('SIGTERM')
  orders.give('SIGTERM')
  expect(hurry).not.toHaveBeenCalled()
  orders.give('SIGINT')
  expect(hurry).toHaveBeenCalledTimes(1)
  expect(heard).toEqual(['SIGTERM'])
})

test('an order that comes before anybody listens is kept', async () => {
  const orders = createOrders()
  orders.give('SIGINT')
  const heard = listen(orders)
  await Promise.resolve()
  expect(heard).toEqual(['SIGINT'])
})
