// The routes of the service that build-service.ts builds. The file shares POST /echo with the peers, so it is CommonJS.
const { listRoutes } = require('../internal/routes.ts')
const { unknown } = require('zod')
const { operation } = require('../pkg/operation/index.ts')
const { echo } = require('./peers/support/echo.cjs')

exports.listRoutes = (deps) => [
  ...listRoutes(deps),
  {
    path: '/echo',
    post: operation({
      id: 'echo',
      summary: 'Validates the body and returns a response of about 1 KB',
      body: unknown(),
      public: true,
      responses: { 200: { description: 'The response' } },
      handler: (req, res) => res.json(echo(req.body)),
    }),
  },
]
