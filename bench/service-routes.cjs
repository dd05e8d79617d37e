// In place of internal/routes.ts in the build that build-service.ts makes. CommonJS as the peers, whose route it shares.
const own = require('../internal/routes.ts')
const { route } = require('../pkg/web/index.ts')
const { echo } = require('./peers/support/echo.cjs')

exports.routes = function routes(app, ...dependencies) {
  own.routes(app, ...dependencies)
  route(app, { path: '/echo', post: { handler: (req, res) => res.json(echo(req.body)) } })
}
