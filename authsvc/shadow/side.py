"""One end of a connection that is relayed: heads and bodies of HTTP/1 messages as bytes, in the pieces they came in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from authsvc.decide.framing import END_OF_HEAD, MAX_HEAD, Body, Ends, chunk_size

_PIECE: Final = 64 * 1024
_MAX_LINE: Final = 16 * 1024


class BrokenOff(Exception):  # noqa: N818 - named for what happened
    """A message did not come whole."""


class Unreadable(Exception):  # noqa: N818 - named for what it is
    """A message that must go through without being looked at; what was read of it is still in the inlet."""


@dataclass(slots=True)
class Side:
    """One end: what it sends is read through a buffer of our own, so that what was read too early is not lost."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    buffer: bytes = b""

    async def head(self) -> bytes:
        """A message's head. Raises Unreadable, BrokenOff."""
        while (end := END_OF_HEAD.search(self.buffer)) is None:
            if len(self.buffer) > MAX_HEAD:
                raise Unreadable
            await self._more()
        head, self.buffer = self.buffer[: end.end()], self.buffer[end.end() :]
        return head

    async def body(self, body: Body) -> AsyncIterator[tuple[bytes, bytes]]:
        """A body piece by piece: the bytes as they came, and what they carry. Raises BrokenOff, Unreadable."""
        match body.ends:
            case Ends.LENGTH:
                async for piece in self._exactly(body.size):
                    yield piece, piece
            case Ends.CLOSE:
                while piece := await self.some():
                    yield piece, piece
            case Ends.CHUNKS:
                while size := (announced := await self._chunk())[1]:
                    yield announced[0], b""
                    async for piece in self._exactly(size):
                        yield piece, piece
                    yield await self._line(), b""
                yield announced[0], b""
                while (line := await self._line()) != b"\r\n":
                    yield line, b""
                yield line, b""

    async def some(self) -> bytes:
        """Whatever comes next; nothing at the end."""
        piece, self.buffer = self.buffer, b""
        return piece or await self.reader.read(_PIECE)

    async def send(self, data: bytes) -> None:
        """Write, and wait while the other end is slow."""
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        """Let it go."""
        self.writer.close()
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(self.writer.wait_closed(), 1)

    async def _more(self) -> None:
        more = await self.reader.read(_PIECE)
        if not more:
            raise BrokenOff
        self.buffer += more

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not self.buffer:
                await self._more()
            piece, self.buffer = self.buffer[:size], self.buffer[size:]
            size -= len(piece)
            yield piece

    async def _line(self) -> bytes:
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > _MAX_LINE:
                raise Unreadable
            await self._more()
        line, self.buffer = self.buffer[: end + 2], self.buffer[end + 2 :]
        return line

    async def _chunk(self) -> tuple[bytes, int]:
        line = await self._line()
        size = chunk_size(line)
        if size is None:
            self.buffer = line + self.buffer
            raise Unreadable
        return line, size


async def pump(source: Side, target: Side) -> None:
    """Everything from one end to the other, and its end too."""
    while piece := await source.some():
        await target.send(piece)
    if target.writer.can_write_eof():
        target.writer.write_eof()
