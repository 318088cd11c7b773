"""``type: file``: writes the image of a push into a file that something else reads, a template of a unit or a git checkout."""

from dataclasses import dataclass
from pathlib import Path

from wharfinger.runtime.yaml_nodes import Section
from workers.decide.order import Delivered, Order, Retry, Sent, Unchanged
from workers.ports import Lease, Target


@dataclass(frozen=True)
class FileSettings:
    """What the configuration says."""

    file: Path


class FileTarget:
    """The port ``Target``."""

    def __init__(self, settings: FileSettings) -> None:
        self._file = settings.file

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Nothing: a file is there as a whole, or is what it was."""
        return None

    def send(self, order: Order, lease: Lease) -> Sent:
        """Write it. The same order again writes the same."""
        text = f"{order.image()}\n"
        beside = self._file.with_name(f"{self._file.name}.{order.delivery_id}")
        try:
            if self._file.exists() and self._file.read_text() == text:
                return Unchanged("the file names this image")
            lease.renew()  # before every outside step: a worker that was overtaken ends here
            beside.write_text(text)
            beside.replace(self._file)  # crash before: what it was; after: all of it
        except OSError as error:
            return Retry(f"{self._file} cannot be written: {error.strerror}")
        return Delivered("written")


class FileKind:
    """What the entry point names. ``runs_one``: a later push of another image overtakes this one."""

    runs_one = True
    knows_what_runs = True

    def read(self, name: str, section: Section) -> FileSettings | None:
        """Read ``file``; a key that nobody reads is a fault by itself."""
        file = section.path_of("file", required=True, watched=False)
        return None if file is None else FileSettings(file)

    def make(self, settings: FileSettings) -> Target:
        """A target of its settings."""
        return FileTarget(settings)


KIND = FileKind()
