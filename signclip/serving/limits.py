"""What a request may cost, and the guard in front of the application that counts it.

Decisions
* The size of a body is counted while it arrives; what ``Content-Length`` announces only makes the
  answer come sooner. What is over the limit is received and discarded for a while, because a
  client that is still sending would lose the answer with the connection.
* A JSON body has a limit of its own (:data:`JSON_BODY`): it is parsed where all requests wait.
* A request that takes too long is answered 408, whether its client sends slowly or the model is
  busy; a request over the number that are served at a time is answered 429 at once.
* A server on a loopback address answers only to loopback names, so that a web page cannot read from
  it by pointing a name of its own to 127.0.0.1 (DNS rebinding).

Cost: microseconds a request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON_BODY = 1 << 20  # bytes: 64 texts of 1,000 characters, each escaped to 12 bytes
_DISCARDED = 4  # times the limit that is received and discarded before the answer
_DISCARDING = 5.0  # seconds
_CLOSE = {"Connection": "close"}  # or the rest of the body would be received for ever
HEALTH = "/healthz"  # answered also when the server is full


@dataclass(frozen=True)
class Limits:
    """What one request may cost."""

    body: int = 32 << 20  # bytes; of MediaPipe Holistic 3,600 frames
    frames: int = 5_000  # of a clip
    batch: int = 64  # texts or clips of a request
    text: int = 1_000  # characters of a text
    seconds: float = 30.0  # from a request's headers to the end of its answer
    requests: int = 64  # at a time
    skeleton: int = 500  # frames of a skeleton; longer ones are cut


class Refused(Exception):
    """A request that is not served.

    Args:
        status: of HTTP.
        reason: one line for the client.
    """

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


class JSONAnswer(JSONResponse):
    """JSON as UTF-8, in which nothing is escaped but what UTF-8 cannot write.

    Raises:
        ValueError: a number is not finite.
    """

    def render(self, content: Any) -> bytes:
        """See the class."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def error(status: int, reason: str, headers: dict[str, str] | None = None) -> JSONAnswer:
    """The answer to a request that fails: ``{"error": reason}``."""
    return JSONAnswer({"error": clean(reason)}, status, headers)


def clean(text: str) -> str:
    """A text from outside without what UTF-8 cannot write."""
    return text.encode("utf-8", "backslashreplace").decode()


class Guard:
    """The application behind its limits.

    Args:
        hosts: names that the server answers to; None: any.

    Attributes:
        running: requests that are being served.
    """

    def __init__(self, app: ASGIApp, limits: Limits, hosts: frozenset[str] | None):
        self.app, self.limits, self.hosts = app, limits, hosts
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        if refused := self._refusal(scope["path"], headers):
            return await refused(scope, receive, send)
        counted = _Counted(receive, headers, self.limits)
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        self.running += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self.app(scope, counted, watched)
        except TimeoutError:
            if begun:  # the client reads too slowly: closing the connection is all that is left
                raise
            reason = f"not done within {self.limits.seconds:g} s, which is the limit"
            late = error(408, reason, _CLOSE)
            await late(scope, receive, send)
        finally:
            self.running -= 1
        return None

    def _refusal(self, path: str, headers: MutableMapping[str, bytes]) -> JSONAnswer | None:
        name = _host(headers.get("host", b"").decode("latin-1"))
        if self.hosts is not None and name not in self.hosts:
            known = ", ".join(sorted(self.hosts))
            return error(421, f"this server is not {name!r}; it answers to {known}")
        if self.running >= self.limits.requests and path != HEALTH:
            reason = f"{self.running} requests are being served, which is the limit; try again"
            return error(429, reason, {"Retry-After": "1"})
        return None


def _host(header: str) -> str:
    """A Host header without its port: ``[::1]:8000`` is ``[::1]``."""
    end = header.find("]") + 1 if header.startswith("[") else header.find(":")
    return (header[:end] if end > 0 else header).lower()


class _Counted:
    """Receives a body up to its limit; over it raises 413."""

    def __init__(self, receive: Receive, headers: MutableMapping[str, bytes], limits: Limits):
        self._receive = receive
        kind = headers.get("content-type", b"").split(b";")[0].strip().lower()
        is_json = kind.endswith(b"json")
        self._limit = min(limits.body, JSON_BODY) if is_json else limits.body
        announced = headers.get("content-length", b"").decode("latin-1")
        self._announced = int(announced) if announced.isdecimal() else 0
        self._received = 0

    async def __call__(self) -> Message:
        if self._announced > self._limit:
            await self._refuse()
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            await self._refuse(more=message.get("more_body", False))
        return message

    async def _refuse(self, more: bool = True) -> None:
        try:
            async with asyncio.timeout(_DISCARDING):
                while more and self._received < (1 + _DISCARDED) * self._limit:
                    message = await self._receive()
                    self._received += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            pass
        reason = f"a body over {self._limit:,} bytes, which is the limit"
        raise HTTPException(413, reason, _CLOSE)
