"""Programs that decide, docker_auth's ``ext_auth`` and ``ext_authz``, without a shell. ``decide`` says what their end means.

Each program is bounded in time, in what it may write, and in how many of it run and wait; what is over time is killed with
all that it started. It gets the account's password on its standard input, which is in no argument list and no environment;
what it writes to standard error is let go, since that may repeat it.
"""

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Final, cast

from authsvc.decide.commands import Ended, Faulty, authenticated, authorized, credentials_for, question_for
from authsvc.decide.credentials import Identity, NoMatch, WrongPassword
from authsvc.decide.request import Claimed
from authsvc.errors import Unavailable
from authsvc.metrics import PROGRAM_SECONDS, PROGRAMS
from wharfinger.policy import Request
from wharfinger.runtime.metrics import Meter
from wharfinger.runtime.settings import Command

TIMEOUT_S: Final = 10.0
"""Clients wait 15 s and more for a token."""
MAX_RUNNING: Final = 16
MAX_WAITING: Final = 64
WAIT_S: Final = 5.0
MAX_OUTPUT: Final = 64 * 1024
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
"""What a program sees of our environment: secrets of ours may stand in the rest."""


class Program:
    """One configured program. ``key``: its section in the file, for errors."""

    def __init__(
        self, command: Command, key: str, meter: Meter, *, timeout_s: float = TIMEOUT_S, wait_s: float = WAIT_S
    ) -> None:
        self._command = command
        self._key = key
        self._meter = meter
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._places = asyncio.Semaphore(MAX_RUNNING)
        self._waiting = 0

    async def run(self, data: bytes) -> Ended:
        """Run it once with this on its standard input. Raises Unavailable."""
        began = time.monotonic()
        outcome = "unavailable"
        try:
            await self._wait()
            try:
                ended = await self._run(data)
            finally:
                self._places.release()
            outcome = "answered"
        finally:
            self._meter.add(PROGRAMS, self._key, outcome)
            self._meter.observe(PROGRAM_SECONDS, time.monotonic() - began, self._key)
        return ended

    async def ready(self) -> None:
        """Whether it can be started. Raises Unavailable."""
        if not os.access(self._command.program, os.X_OK):
            raise Unavailable(f"{self._key} cannot be started")

    async def _wait(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(f"too many requests wait for {self._key}")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable(f"{self._key} is busy") from None
        finally:
            self._waiting -= 1

    async def _run(self, data: bytes) -> Ended:
        loop = asyncio.get_running_loop()
        try:
            process, talk = await loop.subprocess_exec(
                lambda: _Talk(over=loop.create_future(), gone=loop.create_future()),
                self._command.program,
                *self._command.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"{self._key} cannot be started: {error.strerror}") from error
        try:
            _give(process, data)
            async with asyncio.timeout(self._timeout_s):
                await talk.over
        except TimeoutError:
            raise Unavailable(f"{self._key} did not end within {self._timeout_s:g} s") from None
        finally:
            if not talk.ended:
                # Its group: what a script started too.
                with suppress(ProcessLookupError):
                    os.killpg(process.get_pid(), signal.SIGKILL)
            await talk.gone
            code = process.get_returncode()
            process.close()
        if code is None or not talk.ended:
            raise Unavailable(f"{self._key} writes more than {MAX_OUTPUT} bytes")
        return Ended(code, bytes(talk.output))


class _Talk(asyncio.SubprocessProtocol):
    """What comes of one run.

    ``over``: it ended and nobody can write any more, or it wrote too much. ``gone``: its process was collected.
    """

    def __init__(self, *, over: asyncio.Future[None], gone: asyncio.Future[None]) -> None:
        self.over = over
        self.gone = gone
        self.ended = False
        self.output = bytearray()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - asyncio's signature; there is one pipe
        if len(self.output) + len(data) <= MAX_OUTPUT:
            self.output += data
        else:
            self._finish()

    def process_exited(self) -> None:
        self.gone.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.ended = not self.over.done()
        self._finish()

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


class CommandAuthenticator:
    """The port ``Authenticator``, by ``ext_auth``. ``key`` fingerprints credentials."""

    def __init__(self, program: Program, key: bytes) -> None:
        self._program = program
        self._key = key

    def recall(self, claimed: Claimed) -> Identity | None:  # noqa: ARG002 - the port's
        """Never: the program is the authority, each time."""
        return None

    async def authenticate(self, claimed: Claimed | None) -> Identity | NoMatch | WrongPassword:
        """Ask it."""
        credentials = credentials_for(claimed)
        if credentials is None:
            return NoMatch()
        account = "" if claimed is None else claimed.account
        found = authenticated(await self._program.run(credentials), account=account, key=self._key)
        if isinstance(found, Faulty):
            raise Unavailable(found.problem)
        return found


class CommandAuthorizer:
    """The port ``Authorizer``, by ``ext_authz``: whatever it says is final."""

    def __init__(self, program: Program) -> None:
        self._program = program

    async def authorize(self, request: Request) -> tuple[str, ...] | None:
        """Ask it."""
        found = authorized(await self._program.run(question_for(request)), request)
        if isinstance(found, Faulty):
            raise Unavailable(found.problem)
        return found


def _give(process: asyncio.SubprocessTransport, data: bytes) -> None:
    stdin = cast("asyncio.WriteTransport | None", process.get_pipe_transport(0))
    # One that has ended already reads nothing.
    if stdin is not None and not stdin.is_closing():
        stdin.write(data)
        stdin.close()
