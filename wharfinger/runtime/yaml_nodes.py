"""YAML as nodes that know their line, typed by who reads them. Collects every fault; knows no key of ours.

Scalars keep their text, as docker_auth's decoder gives it to a string field: ``yes``, ``007``, ``1.10`` are what was written.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import yaml

T = TypeVar("T")
WordT = TypeVar("WordT", bound=StrEnum)

MAX_FILE: Final = 4 * 1024 * 1024
ENVIRONMENT: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MERGE: Final = "tag:yaml.org,2002:merge"
_QUOTED: Final = re.compile(r'"[^"]*"|' + r"'[^']*'")
_YES: Final = frozenset({"true", "yes", "on", "y"})
_NO: Final = frozenset({"false", "no", "off", "n"})
_INTEGER: Final = re.compile(r"[+-]?[0-9][0-9_]{0,18}(\.[0-9]{0,18})?", re.ASCII)
_NEAR: Final = 0.75
"""How like a known word (difflib's ratio) a key must be to be a slip of the pen for certain: `notifer`, `deplyo`, `ledgr`."""
_PUT_ASIDE: Final = ("x-", ".", "_")
"""How keys begin that only hold anchors."""
_REPEATED: Final = re.compile(r"(alias|handle) '[^']*'")
"""What YAML's own complaints repeat of the file: to it, a password that begins with * is an alias."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong at one place of the file (counted from 1; 0: nowhere in particular), and what to do.

    ``warning``: it can be lived with.
    """

    line: int
    key: str
    problem: str
    remedy: str
    warning: bool = False
    column: int = 0


@dataclass(slots=True)
class Faults:
    """Everything found wrong so far, and the files that were named: what a watcher must look at."""

    found: list[Fault] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)

    def add(self, line: int, key: str, problem: str, remedy: str, *, column: int = 0, warning: bool = False) -> None:
        """A fault, for which nothing starts; or a warning."""
        self.found.append(Fault(line, key, problem, remedy, warning, column))


def compose(file: Path, faults: Faults) -> yaml.Node | None:
    """Read a file as YAML nodes; None after a fault."""
    try:
        data = file.read_bytes()
    except OSError as error:
        faults.add(
            0, "", f"cannot be read: {error.strerror}", "give the right file with -c, or make one with `wharfinger init`"
        )
        return None
    if len(data) > MAX_FILE:
        faults.add(0, "", f"is larger than {MAX_FILE} bytes", "this is not a configuration file")
        return None
    try:
        # compose() makes nodes and no objects: tags like !!python are never acted upon.
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        faults.add(0, "", "is not UTF-8", "save it as UTF-8")
        return None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = _REPEATED.sub(r"\1", getattr(error, "problem", None) or type(error).__name__)
        written = data.decode("utf-8").splitlines()[mark.line : mark.line + 1] if mark else []
        remedy = 'put ${…} into quotes, as in "${VARIABLE}"' if _has_bare_variable("".join(written)) else "correct the syntax"
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        faults.add(line, "", f"is not YAML: {problem}", remedy, column=column)
        return None
    if node is None:
        faults.add(0, "", "is empty", "start from what `wharfinger init` makes")
    return node


def _has_bare_variable(line: str) -> bool:
    return "${" in _QUOTED.sub("", line)


class Section:
    """A mapping of the file, read key by key; at the end, :meth:`done` makes a fault of every key that nobody read."""

    def __init__(self, node: yaml.Node, key: str, faults: Faults, environ: Mapping[str, str], folder: Path) -> None:
        self.key = key
        self.line, self.column = node.start_mark.line + 1, node.start_mark.column + 1
        self.faults = faults
        self.environ = environ
        self.folder = folder
        self._nodes: dict[str, yaml.Node] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._read: set[str] = set()
        if isinstance(node, yaml.MappingNode):
            self._collect(node)
        elif not is_null(node):
            faults.add(self.line, key, "is not a mapping of keys to values", "indent its keys below it")

    def _collect(self, node: yaml.MappingNode) -> None:
        merged: list[yaml.MappingNode] = []
        for name_node, value in node.value:
            place = name_node.start_mark.line + 1, name_node.start_mark.column + 1
            if name_node.tag == _MERGE:
                merged += [one for one in _listed(value) if isinstance(one, yaml.MappingNode)]
            elif not isinstance(name_node, yaml.ScalarNode):
                self.faults.add(place[0], self.key, "has a key that is not plain text", "write plain keys", column=place[1])
            else:
                self._put(str(name_node.value), value, place)
        # What stands here wins over what is merged in, and what is merged first over what comes later (YAML 1.1, merge key).
        for mapping in merged:
            beside = Section(mapping, self.key, self.faults, self.environ, self.folder)
            for name, value in beside._nodes.items():
                if name not in self._nodes:
                    self._nodes[name], self._places[name] = value, beside._places[name]

    def _put(self, name: str, value: yaml.Node, place: tuple[int, int]) -> None:
        if name in self._nodes:
            problem, remedy = "stands twice; the last one counts, as in docker_auth", "remove the other"
            self.faults.add(place[0], self.path(name), problem, remedy, column=place[1], warning=True)
        self._nodes[name], self._places[name] = value, place

    def path(self, name: str) -> str:
        """The full key of a name in here."""
        return f"{self.key}.{name}" if self.key else name

    def place_of(self, name: str) -> tuple[int, int]:
        """Line and column of a key, or of the section when it is absent."""
        return self._places.get(name, (self.line, self.column))

    def line_of(self, name: str) -> int:
        """The line of a key, or of the section when it is absent."""
        return self.place_of(name)[0]

    def has(self, name: str) -> bool:
        """Whether a key is there with a value."""
        return name in self._nodes and not is_null(self._nodes[name])

    def names(self) -> Iterator[str]:
        """Every key, read or not; reading names marks them as known."""
        for name in self._nodes:
            self._read.add(name)
            yield name

    def fault(self, name: str, problem: str, remedy: str) -> None:
        """A fault at a key."""
        line, column = self.place_of(name)
        self.faults.add(line, self.path(name), problem, remedy, column=column)

    def warn(self, name: str, problem: str, remedy: str) -> None:
        """A warning at a key."""
        line, column = self.place_of(name)
        self.faults.add(line, self.path(name), problem, remedy, column=column, warning=True)

    def require_file(self, name: str, path: Path, remedy: str) -> None:
        """A fault at a key unless its file is there."""
        try:
            there = path.is_file()
        except OSError as error:  # in a folder that is closed to us, or a name longer than any
            self.fault(name, f"{path} cannot be reached: {error.strerror}", remedy)
            return
        if not there:
            self.fault(name, f"there is no file {path}", remedy)

    def section(self, name: str) -> "Section | None":
        """A mapping below; None when absent."""
        self._read.add(name)
        if not self.has(name):
            return None
        return Section(self._nodes[name], self.path(name), self.faults, self.environ, self.folder)

    def required(self, name: str) -> "Section | None":
        """The same, and a fault when it is absent."""
        found = self.section(name)
        if found is None:
            self.fault(name, "is missing", f"add a section {name}:; `wharfinger init` makes a whole file")
        return found

    def sections(self, name: str) -> "list[Section]":
        """A list of mappings; empty when absent."""
        return [Section(node, key, self.faults, self.environ, self.folder) for key, node in self.items(name)]

    def is_empty_list(self, name: str) -> bool:
        """Whether a key holds the list ``[]``."""
        node = self._nodes.get(name)
        return isinstance(node, yaml.SequenceNode) and not node.value

    def is_text(self, name: str) -> bool:
        """Whether a key holds one value, neither a list nor a mapping."""
        return isinstance(self._nodes.get(name), yaml.ScalarNode)

    def node(self, name: str) -> yaml.Node | None:
        """A raw node."""
        self._read.add(name)
        return self._nodes.get(name)

    def items(self, name: str) -> list[tuple[str, yaml.Node]]:
        """The entries of a list, with the key of each; empty when absent."""
        self._read.add(name)
        if not self.has(name):
            return []
        node = self._nodes[name]
        if not isinstance(node, yaml.SequenceNode):
            self.fault(name, "is not a list", f"write it as a list:  {name}: [...]")
            return []
        return [(f"{self.path(name)}[{at}]", entry) for at, entry in enumerate(node.value)]

    def text(self, name: str, default: str | None = None, *, required: bool = False) -> str | None:
        """A text as it was written."""
        self._read.add(name)
        if not self.has(name):
            if required:
                self.fault(name, "is missing", f"add {name} to {self.key or 'the file'}")
            return default
        node = self._nodes[name]
        if not isinstance(node, yaml.ScalarNode):
            self.fault(name, "is not a single value", f"write one text after {name}:")
            return default
        return str(node.value)

    def number(self, name: str, *, required: bool = False) -> int | None:
        """An integer; a fraction is cut, as docker_auth's decoder does."""
        text = self.text(name, required=required)
        if text is None:
            return None
        if _INTEGER.fullmatch(text) is None:
            self.fault(name, f"{text!r} is not a whole number", "write it in digits, without a unit")
            return None
        return int(float(text.replace("_", ""))) if "." in text else int(text.replace("_", ""))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Yes or no, in any of YAML 1.1's words."""
        text = self.text(name)
        if text is None:
            return default
        word = text.lower()
        if word not in _YES | _NO:
            self.fault(name, f"{text!r} is neither true nor false", "write true or false")
        return word in _YES

    def choice(self, name: str, words: type[WordT], default: WordT) -> WordT:
        """One of some words."""
        text = self.text(name)
        try:
            return default if text is None else words(text)
        except ValueError:
            self.fault(name, f"{text!r} is not known", "write one of " + ", ".join(word.value for word in words))
            return default

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty when absent."""
        found = []
        for key, node in self.items(name):
            if isinstance(node, yaml.ScalarNode):
                found.append("" if is_null(node) else str(node.value))
            else:
                self.faults.add(node.start_mark.line + 1, key, "is not a single value", "write plain texts")
        return tuple(found)

    def parsed(self, name: str, parse: Callable[[str], T], remedy: str, *, default: T, required: bool = False) -> T:
        """A text through a parser that raises ValueError."""
        text = self.text(name, required=required)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.fault(name, str(error), remedy)
            return default

    def path_of(self, name: str, *, required: bool = False, watched: bool = True) -> Path | None:
        """A path, relative to the configuration file's folder. ``watched``: what is in it belongs to the configuration."""
        text = self.text(name, required=required)
        if text is None:
            return None
        if not _is_path(text):
            self.fault(name, "holds what stands in no path", "write a plain path")
            return None
        path = self.folder / os.path.expanduser(text)  # noqa: PTH111 - ~ of a text
        if watched:
            self.faults.files.add(path)
        return path

    def expanded(self, name: str, *, required: bool = False) -> str | None:
        """A text with ``${NAME}`` from the environment put in."""
        text = self.text(name, required=required)
        return None if text is None else ENVIRONMENT.sub(lambda found: self._variable(name, found[1]), text)

    def secret(self, name: str, *, required: bool = False) -> bytes | None:
        """A secret from ``<name>_file``, or from ``<name>: ${ENV}``; never written out in the file."""
        file = self.path_of(f"{name}_file")
        text = self.text(name)
        if self.has(f"{name}_file"):
            if self.has(name):
                self.fault(name, f"stands beside {name}_file", "keep one of the two")
            return None if file is None else self._content(f"{name}_file", file)
        if text is None:
            if required:
                self.fault(f"{name}_file", "is missing", f"name a file that holds the {name}")
            return None
        whole = ENVIRONMENT.fullmatch(text)
        if whole is None:
            remedy = f'put it into a file and name that in {name}_file, or write "${{VARIABLE}}"'
            self.fault(name, "is written out in the configuration, where too many can read it", remedy)
            return None
        return os.fsencode(self._variable(name, whole[1])).strip() or None

    def secret_key(self, name: str) -> str:
        """The key by which a secret was given: ``<name>`` for one of the environment, else ``<name>_file``."""
        return name if self.has(name) and not self.has(f"{name}_file") else f"{name}_file"

    def _variable(self, name: str, variable: str) -> str:
        value = self.environ.get(variable, "")
        if not value.strip():
            self.fault(name, f"the environment has no {variable}", f"set {variable}, or use {name}_file")
        return value

    def warn_if_open(self, name: str, file: Path) -> None:
        """A warning at a key when its file, which is there, is everybody's to read."""
        if file.stat().st_mode & 0o007:
            self.warn(name, f"{file} can be read by everybody on this machine", f"chmod 600 {file}")

    def _content(self, name: str, file: Path) -> bytes | None:
        try:
            content = file.read_bytes().strip()
        except OSError as error:
            self.fault(name, f"{file} cannot be read: {error.strerror}", "make the file, or correct the path")
            return None
        if not content:
            self.fault(name, f"{file} is empty", "put the secret into it")
            return None
        self.warn_if_open(name, file)
        return content

    def done(
        self, not_built: frozenset[str] = frozenset(), *, ours: bool = True, guarded: frozenset[str] = frozenset()
    ) -> None:
        """A fault for each key that nobody read; a warning when the section is docker_auth's, which ignores such keys.

        ``guarded``: keys that are ours in a section of docker_auth's. What is nearly such a key is a fault: ignored, it would
        leave out what that key stands for.
        """
        for name in self._nodes:
            if name in self._read:
                continue
            if name in not_built:
                self.fault(name, "is known, but not built yet", "remove it; it would be ignored, and is refused instead")
                continue
            near = difflib.get_close_matches(name, self._read, n=1)
            remedy = f"did you mean {near[0]}?" if near else "remove it; known here: " + ", ".join(sorted(self._read))
            slip = not name.startswith(_PUT_ASIDE) and difflib.get_close_matches(name, guarded, n=1, cutoff=_NEAR)
            (self.fault if ours or slip else self.warn)(name, "is not a key known here", remedy)


def _listed(node: yaml.Node) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _is_path(text: str) -> bool:
    try:
        return b"\x00" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def is_null(node: yaml.Node) -> bool:
    """Whether a value is absent: nothing, ``~`` or ``null``, unquoted."""
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in {"", "~", "null", "Null", "NULL"}
