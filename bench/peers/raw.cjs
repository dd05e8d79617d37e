const { createServer } = require('node:http')

const body = Buffer.from('{"message":"pong"}')

createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length })
  response.end(body)
}).listen(process.env.PORT, process.env.HOST)
