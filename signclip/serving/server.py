"""The socket, the server's loop, and the signals that end it.

Decisions
* The socket is bound first, so that a port in use is said before a model is loaded.
* Ctrl-C and SIGTERM stop the server gracefully: no new connection is accepted, requests that have
  begun are answered, and the exit status is 0. A second signal, or the time limit of a request,
  ends them.

Cost: none.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from signclip.core.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
Say = Callable[[str], None]


def check_installed() -> None:
    """Refuse to go on without FastAPI and uvicorn.

    Raises:
        ConfigError: they are not installed.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as problem:
        raise ConfigError(
            f"{problem.name} is not installed: pip install 'signclip[serve]'"
        ) from None


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound, and not yet listened to.

    Raises:
        ConfigError: the port is in use, or the address is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as problem:
        reason = problem.strerror or problem
        if isinstance(problem, socket.gaierror):
            raise ConfigError(f"--host {host}: no address of this machine ({reason})") from None
        hint = (
            "give another with --port"
            if problem.errno != errno.EADDRNOTAVAIL
            else "give another --host"
        )
        raise ConfigError(f"{host}:{port} cannot be served ({reason}); {hint}") from None
    except (OverflowError, UnicodeError) as problem:
        raise ConfigError(f"--host {host} --port {port}: {problem}") from None
    return bound


def address(bound: socket.socket) -> str:
    """The address of a bound socket: ``http://127.0.0.1:8000``."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def names(bound: socket.socket) -> frozenset[str] | None:
    """The names that the server answers to; None: any, since it is not bound to loopback."""
    host = ipaddress.ip_address(bound.getsockname()[0])
    if not host.is_loopback:
        return None
    return LOOPBACK_NAMES | {f"[{host}]" if host.version == 6 else str(host)}


def run(app: FastAPI, bound: socket.socket, *, seconds: float, say: Say = print) -> None:
    """Serve until a signal ends it.

    Args:
        seconds: that requests have to finish after the first signal.
        say: prints the lines of start and end.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """A server whose signals are ours."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._stop)
            yield

        def _stop(self) -> None:
            if self.should_exit:
                self.force_exit = True
                return
            self.should_exit = True
            count = len(self.server_state.tasks)
            doing = f"; {count} requests finish first (again to end them)" if count else ""
            say(f"stopping{doing}")

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say(f"serving on {address(bound)}")

    # it logs each damaged form, which is answered 400
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=max(1, round(seconds)),
    )
    Server(config).run(sockets=[bound])
