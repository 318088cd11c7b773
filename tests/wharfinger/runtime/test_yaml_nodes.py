"""YAML as nodes: what texts, numbers, lists and sections are read as. The faults of a whole file stand with ``configuration``."""

from pathlib import Path

import pytest
import yaml

from wharfinger.runtime.yaml_nodes import Fault, Faults, Section, compose, is_null


def section(text: str, *, environ: dict[str, str] | None = None, folder: Path = Path("/conf")) -> Section:
    """A document as a section."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None
    return Section(node, "", Faults(), environ or {}, folder)


@pytest.mark.parametrize(
    "text", ["yes", "off", "007", "1.10", "0x1F", "2020-01-01", "1_000", "true", "!!int 5", "'~'", '""', "'null'"]
)
def test_texts_stay_texts(text: str) -> None:
    """What YAML 1.1 would make of them is nobody's business here."""
    found = section(f"a: {text}")
    written = text.removeprefix("!!int ").strip("'\"")
    assert (found.text("a"), found.faults.found) == (written, [])


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_nothing(text: str) -> None:
    """Absent, as far as anybody asks."""
    found = section(f"a: {text}")
    assert (found.has("a"), found.text("a", "default"), found.items("a"), found.section("a")) == (False, "default", [], None)
    node = found.node("a")
    assert node is not None
    assert is_null(node)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("+7", 7), ("-7", -7), ("1_000", 1_000), ("900.9", 900), ("900.", 900), ("007", 7)]
)
def test_numbers(text: str, number: int) -> None:
    """Whole ones, as docker_auth's decoder takes them: fractions are cut."""
    assert section(f"a: {text}").number("a") == number


@pytest.mark.parametrize("text", ["x", "1e3", "0x10", "1 0", "١", "--1", "9" * 100, "1." + "9" * 100])
def test_what_is_no_number(text: str) -> None:
    """Is told, however long."""
    found = section(f"a: {text}")
    assert found.number("a") is None
    assert [one.key for one in found.faults.found] == ["a"]


def test_no_number() -> None:
    """Absent, and asked for or not."""
    found = section("b: 1")
    assert (found.number("a"), found.faults.found) == (None, [])
    assert found.number("a", required=True) is None
    assert found.faults.found == [Fault(1, "a", "is missing", "add a to the file", column=1)]


def test_lines_and_keys() -> None:
    """Each is known by both, however deep."""
    found = section("a:\n  b:\n    - c: 1\n    - c: 2\n")
    inner = found.section("a")
    assert inner is not None
    second = Section(inner.items("b")[1][1], inner.items("b")[1][0], found.faults, {}, Path())
    assert (second.key, second.line, second.path("c"), second.line_of("c"), second.line_of("absent")) == (
        "a.b[1]",
        4,
        "a.b[1].c",
        4,
        4,
    )


def test_done_tells_what_nobody_read() -> None:
    """In three ways: not built, a slip, or nothing known."""
    found = section("read: 1\nlater: 2\nraed: 3\nother: 4\n")
    found.text("read")
    found.done(frozenset({"later"}))
    assert [(one.line, one.key, one.remedy) for one in found.faults.found] == [
        (2, "later", "remove it; it would be ignored, and is refused instead"),
        (3, "raed", "did you mean read?"),
        (4, "other", "remove it; known here: read"),
    ]


@pytest.mark.parametrize(
    ("slip", "name"),
    [
        (True, "notifer"), (True, "Notifier"), (True, "deplyo"), (True, "logs"),
        (False, "tokens"), (False, "logging"), (False, "x-deploy"), (False, ".deploy"), (False, "_deploy"), (False, "prometheus"),
    ],
)  # fmt: skip
def test_a_slip_in_a_key_of_ours_is_a_fault(name: str, *, slip: bool) -> None:
    """Also in a section of docker_auth's: what the key stands for would silently be left out. Other words stay warnings."""
    found = section(f"{name}: 1\n")
    for known in ("notifier", "deploy", "log", "token"):
        found.section(known)
    found.done(ours=False, guarded=frozenset({"notifier", "deploy", "log"}))
    assert [one.warning for one in found.faults.found] == [not slip]


def test_names_are_read_by_asking_for_them() -> None:
    """A section of free names has no unknown ones."""
    found = section("a: 1\nb: 2\n")
    assert list(found.names()) == ["a", "b"]
    found.done()
    assert found.faults.found == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x", "/conf/x"),
        ("./x/../y", "/conf/x/../y"),
        ("/abs", "/abs"),
        ("~/x", str(Path("~/x").expanduser())),
        ("a b", "/conf/a b"),
    ],
)
def test_paths(text: str, path: str) -> None:
    """Relative to the file's folder; ~ is somebody's home."""
    assert section(f"a: {text}").path_of("a") == Path(path)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("x${A}y${B_2}", "x1y2"),
        ("${A}${A}", "11"),
        ("$A", "$A"),
        ("${}", "${}"),
        ("${a-b}", "${a-b}"),
        ("$${A}", "$1"),
        ("x", "x"),
    ],
)
def test_the_environment(text: str, expanded: str) -> None:
    """Only the form with braces, once; what comes out of it is not looked at again."""
    assert section(f"a: '{text}'", environ={"A": "1", "B_2": "2"}).expanded("a") == expanded


def test_values_of_the_environment_are_values() -> None:
    """One that looks like another stays as it is."""
    assert section("a: '${A}'", environ={"A": "${B}", "B": "x"}).expanded("a") == "${B}"
    assert section("b: 1").expanded("a") is None


def test_a_secret_of_the_environment() -> None:
    """Bytes as the system has them, without the spaces around."""
    found = section("a: '${A}'", environ={"A": " s3cret-\udcff\n"})
    assert found.secret("a") == b"s3cret-\xff"
    assert section("b: 1").secret("a") is None


def test_a_secret_of_a_file(tmp_path: Path) -> None:
    """The same."""
    (tmp_path / "f").write_bytes(b"\n s3cret \n")
    (tmp_path / "f").chmod(0o600)
    found = section("a_file: f", folder=tmp_path)
    assert (found.secret("a"), found.faults.found) == (b"s3cret", [])


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o604, True), (0o601, True), (0o666, True)])
def test_who_else_may_read_it(tmp_path: Path, mode: int, warned: bool) -> None:  # noqa: FBT001 - a column
    """A group may be meant; everybody is not."""
    (tmp_path / "f").write_bytes(b"s3cret")
    (tmp_path / "f").chmod(mode)
    found = section("a_file: f", folder=tmp_path)
    assert found.secret("a") == b"s3cret"
    assert [one.warning for one in found.faults.found] == [True] * warned
    (tmp_path / "f").chmod(0o600)


def test_a_file_with_an_alias(tmp_path: Path) -> None:
    """It stands wherever it is named, and nothing is copied a billion times."""
    doubled = "".join(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 9))
    (tmp_path / "f").write_text("a0: &a0 x\n" + doubled)
    faults = Faults()
    node = compose(tmp_path / "f", faults)
    assert node is not None
    assert faults.found == []
    found = Section(node, "", faults, {}, tmp_path)
    assert found.texts("a1") == ("x",) * 9


@pytest.mark.parametrize(
    ("quotes", "text"),
    [
        (True, "hook: {secret: ${HOOK}}"),
        (True, 'hook: {type: "a", secret: ${HOOK}, allow: []}'),
        (False, 'hook: {secret: "${HOOK}", allow: [}'),
        (False, "hook: {secret: '${HOOK}', allow: [}"),
        (False, "hook: [}"),
    ],
)
def test_a_variable_without_quotes(tmp_path: Path, text: str, *, quotes: bool) -> None:
    """In flow style a brace ends the value: what to do is said where that is the reason."""
    file = tmp_path / "c.yml"
    file.write_text(f"a: 1\n{text}\n")
    faults = Faults()
    assert compose(file, faults) is None
    assert [(one.line, "put ${…} into quotes" in one.remedy) for one in faults.found] == [(2, quotes)]
