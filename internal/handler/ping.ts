import type { RequestHandler } from 'express'

export function ping(): RequestHandler {
  return function ping(_req, res) {
    res.json({ message: 'pong' })
  }
}
