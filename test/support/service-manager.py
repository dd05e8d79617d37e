"""What a service manager does for one service, as a test tells it line by line.

Keeps its listening socket from one process to the next, hears its notifications, and prints both
and every end of a process as JSON lines. Usage: service-manager.py [--socket] COMMAND…
"""
import ctypes
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36


def report(**event):
    print(json.dumps({**event, "atMs": time.monotonic() * 1000}), flush=True)


def start(command, environment, listener):
    pid = os.fork()
    if pid != 0:
        return pid
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    if listener is not None:
        environment |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
    os.execve(command[0], command, environment)


def reap(main, code):
    """Collects what has ended: the exit code of the service, and whether nothing of it is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code, True
        if pid == 0:
            return code, False
        if pid == main:
            code = os.waitstatus_to_exitcode(status)


def main(arguments):
    with_socket = arguments[0] == "--socket"
    command = arguments[1:] if with_socket else arguments
    # Children of the service become ours when it ends.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)

    listener = socket.create_server(("127.0.0.1", 0), backlog=4096) if with_socket else None
    directory = tempfile.TemporaryDirectory()
    path = os.path.join(directory.name, "notify")
    notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notifications.bind(path)
    environment = {**os.environ, "NOTIFY_SOCKET": path}
    report(event="listening", port=listener.getsockname()[1] if listener else 0)

    pid = code = None
    while True:
        readable, _, _ = select.select([0, wake, notifications], [], [])
        if notifications in readable:
            # Without room for its ancillary data the file descriptor of a BARRIER=1 is closed, which is the answer.
            report(event="notified", state=notifications.recv(4096).decode().strip())
        elif wake in readable:
            os.read(wake, 4096)
            code, gone = reap(pid, code)
            # Not before the last systemd-notify, so that no notification comes after the end.
            if gone and pid is not None:
                report(event="ended", code=code)
                pid = None
        elif 0 in readable:
            line = os.read(0, 4096).decode().split()
            if not line:
                break
            if line[0] == "start":
                pid = start(command, environment, listener)
                report(event="started", pid=pid)
            else:
                os.kill(pid, getattr(signal, line[0]))
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


main(sys.argv[1:])
