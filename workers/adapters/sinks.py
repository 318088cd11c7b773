"""Where the trail is forwarded to: a file, or a syslog server over TLS. Returns when the other side has it, as far as it tells.

Never to standard output, whatever fails: there it would be taken for the service's own log.
"""

import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from wharfinger.ledger.formats import Format, alarms, line
from wharfinger.ledger.reading import Stored
from wharfinger.runtime.disk import sync_folder
from wharfinger.runtime.settings import FileForward, Forward, SyslogForward
from workers.decide.syslog import Said, frame
from workers.errors import Unavailable
from workers.ports import Sink

TIMEOUT_S: Final = 10.0
"""For the server to answer, and to take what was sent."""
_POLL_S: Final = 0.01


def sink_of(settings: Forward) -> Sink:
    """The sink of a forward."""
    return FileSink(settings) if isinstance(settings, FileForward) else SyslogSink(settings)


class FileSink:
    """The port ``Sink``, a file that only grows until somebody takes it away; then there is a new one."""

    def __init__(self, settings: FileForward) -> None:
        self._file = settings.file
        self._format = Format(settings.form.value)

    def hand_over(self, records: Sequence[Stored]) -> None:
        """Append, and return when it is on disk.

        Crash in the middle: the last line may be cut off. What is handed over next, that very record first, begins a new one.
        """
        text = "".join(line(self._format, one) for one in records).encode()
        try:
            # Opened each time: whoever turns the file over need not tell us.
            handle = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{self._file}: {error.strerror}") from error
        try:
            size = os.fstat(handle).st_size
            _write(handle, _end_line(handle, size) + text)
            os.fsync(handle)
            if not size:
                with suppress(OSError):  # a folder that we may write to, and not read
                    sync_folder(self._file.parent)
        except OSError as error:
            raise Unavailable(f"{self._file}: {error.strerror}") from error
        finally:
            os.close(handle)

    def close(self) -> None:
        """Nothing stays open."""


class SyslogSink:
    """The port ``Sink``. Syslog has no answer: what counts as taken is what the other machine's TCP has acknowledged."""

    def __init__(self, settings: SyslogForward) -> None:
        self._settings = settings
        self._format = Format(settings.form.value)
        self._host = socket.gethostname()
        self._connection: ssl.SSLSocket | None = None

    def hand_over(self, records: Sequence[Stored]) -> None:
        """Send, over the connection there is or a new one, and wait until it is acknowledged."""
        sent = b"".join(frame(_said(self._format, one), host=self._host) for one in records)
        try:
            if self._connection is None or _closed(self._connection):
                self.close()
                self._connection = self._connect()
            self._connection.sendall(sent)
            _wait_acknowledged(self._connection)
        except OSError as error:
            self.close()
            raise Unavailable(f"{self._settings.host}:{self._settings.port}: {_reason(error)}") from error

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self) -> ssl.SSLSocket:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.pair is not None:
            context.load_cert_chain(settings.pair.certificate, settings.pair.key)
        plain = socket.create_connection((settings.host, settings.port), TIMEOUT_S)
        try:
            return context.wrap_socket(plain, server_hostname=settings.host)
        except BaseException:
            plain.close()
            raise


def _said(form: Format, one: Stored) -> Said:
    return Said(one.seq, one.record.kind.value, one.record.recorded_at, alarms(one.record), line(form, one))


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _end_line(handle: int, size: int) -> bytes:
    """What ends a line that was cut off, if there is one."""
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""


def _closed(connection: ssl.SSLSocket) -> bool:
    """Whether the server ended it. It has nothing to say else; what it says (a new TLS ticket) is read and dropped."""
    while select.select([connection], [], [], 0)[0]:
        connection.settimeout(0)
        try:
            if not connection.recv(4_096):
                return True
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(TIMEOUT_S)
    return False


def _wait_acknowledged(connection: ssl.SSLSocket) -> None:
    """Until TCP holds nothing of ours that was not acknowledged. Raises TimeoutError."""
    until = time.monotonic() + TIMEOUT_S
    while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
        if time.monotonic() > until:
            raise TimeoutError("what was sent is not acknowledged")
        time.sleep(_POLL_S)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): name its CA in ca_file"
    return error.strerror or str(error) or type(error).__name__
