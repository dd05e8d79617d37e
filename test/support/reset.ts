import type { Socket } from 'node:net'

/**
 * Closes a connection with a TCP reset, or normally when the socket has ended. Node 26 fails to reset a socket that is
 * shutting down and never closes its handle: the process then loops without end when it exits, because
 * `TCPWrap::Reset` ignores the error of `uv_tcp_close_reset`.
 */
export const reset = (socket: Socket): Socket => (socket.writableEnded ? socket.destroy() : socket.resetAndDestroy())
