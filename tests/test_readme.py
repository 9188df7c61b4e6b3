"""READMEs: links resolve, commands parse, settings exist, and the Python snippets run."""

import re
import runpy
import shlex
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import test_layers
import untrained

from vdm_jax import commands, training

ROOT = Path(__file__).parents[1]
PATHS = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT, capture_output=True, text=True,
).stdout.split()  # fmt: skip
GENERATED = ROOT / "tests" / "checkpoints" / "release"
FILES = [ROOT / path for path in PATHS if GENERATED not in (ROOT / path).parents]
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.py"))
LIBRARY = (ROOT / "vdm_jax" / "README.md").read_text()


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """The text without code blocks."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """GitHub's anchors of the headings."""
    found = set()
    for title in re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE):
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        found.add(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", FILES, ids=name)
def test_relative_links_resolve(path):
    links = re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text()))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in anchors(target.read_text()), f"{link}: no such heading"


def code_lines(text: str) -> list[str]:
    """The lines of shell blocks and of indented blocks, continued lines joined."""
    text = text.replace("\\\\\n", " ").replace("\\\n", " ")
    blocks = re.findall(r"```(?:bash|sh|shell|console|)\n(.*?)```", text, re.DOTALL)
    indented = re.findall(r"^ {4,}.*$", prose(text), re.MULTILINE)
    return [line for block in (*blocks, *indented) for line in block.splitlines()]


def command_lines(line: str) -> list[list[str]]:
    """The arguments of each `vdm-jax` in a line, also in quoted commands; variables become 1."""
    line = re.sub(r"\$\w+", "1", line.replace('"${more[@]}"', ""))
    words, found = shlex.split(line, comments=True), []
    for i, word in enumerate(words):
        if word == "vdm-jax":
            ends = (j for j in range(i, len(words)) if words[j] in ("&&", "|", ";"))
            found.append([w if w != "N" else "1" for w in words[i + 1 : next(ends, None)]])
        elif "vdm-jax " in word:
            found += command_lines(word)
    return found


def parse(words: list[str]) -> None:
    try:
        commands.build_parser().parse_args(words)
    except SystemExit as stop:
        assert stop.code == 0, f"vdm-jax {shlex.join(words)}: see the captured error"


def options(command: str) -> set[str]:
    """The options of a command."""
    with pytest.raises(SystemExit), redirect_stdout(StringIO()) as printed:
        commands.build_parser().parse_args([command, "--help"])
    return set(re.findall(r"--[a-z][a-z-]*", printed.getvalue()))


@pytest.mark.parametrize("path", [*FILES, *EXPERIMENTS], ids=name)
def test_commands_parse_and_name_experiments_that_exist(path):
    text = path.read_text()
    if path.suffix == ".py":
        text = text.split('"""')[1]
    if path.name == "CHANGELOG.md":
        text = ""  # it also names old commands
    for line in code_lines(text):
        if "vdm-jax" in line:
            for words in command_lines(line):
                parse(words)
    for command, rest in re.findall(r"`vdm-jax ([a-z-]+)([^`]*)`", prose(text)):
        assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= options(command), f"{command}{rest}"
    for pattern in re.findall(r"\bexperiments/[\w/*.]+\.py", text):
        assert list(ROOT.glob(pattern)), f"{pattern}: no such experiment"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_benchmarks_and_tests_that_are_named_exist(path):
    for file in re.findall(r"\btests/[\w/]+\.py", path.read_text()):
        assert (ROOT / file).exists(), file


def test_every_experiment_is_in_the_index():
    index = (ROOT / "experiments" / "README.md").read_text()
    patterns = re.findall(r"\]\(([\w/]+(?:\.py)?)\)", index)
    listed = {f for p in patterns for f in (ROOT / "experiments").glob(p.removesuffix("/"))}
    tiny = {f for folder in listed if folder.name == "tiny" for f in folder.glob("*.py")}
    assert set(EXPERIMENTS) == {f for f in listed | tiny if f.suffix == ".py"}


def test_ci_finds_the_installation_and_the_tests():
    """.ci/run splits the first line with the extra `test` at its last ` && `."""
    text = (ROOT / "README.md").read_text()
    line = next(line for line in text.splitlines() if "-e '.[test]'" in line)
    install, _, tests = line.rpartition(" && ")
    assert install.endswith("pip install -q -e '.[test]'") and tests == "pytest -n 2"


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose header starts with `first`."""
    table = text[text.index(f"| {first}") :].split("\n\n")[0]
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def test_layers_are_those_that_are_enforced():
    layers: dict[str, int] = {}
    for number, packages, _ in rows(LIBRARY, "layer"):
        layers |= dict.fromkeys(re.findall(r"`(\w+)`", packages), int(number.strip("| ")))
    assert layers == test_layers.LEVEL


def test_settings_are_fields_of_experiments():
    experiment = training.load(ROOT / "experiments" / "vdm" / "ucf101.py")
    names = [n for row in rows(LIBRARY, "field or variable") for n in re.findall("`(.*?)`", row[0])]
    for field in names:
        node = experiment
        for part in field.split(".") if field[0].islower() else ():
            node = node[int(part)] if part.isdigit() else getattr(node, part)
    code = "\n".join(p.read_text() for p in (ROOT / "vdm_jax").rglob("*.py"))
    variables = {n for n in names if n[0].isupper()}
    assert variables == set(re.findall(r"VDM_JAX_[A-Z]+", code))


def snippets(text: str) -> dict[str, str]:
    """The Python blocks by the heading above them."""
    blocks = re.finditer(r"```python\n(.*?)```", text, re.DOTALL)
    return {
        re.findall(r"^#+ (.*)$", prose(text[: block.start()]), re.MULTILINE)[-1]: block[1]
        for block in blocks
    }


def run(snippet: str, folder: Path) -> None:
    """Runs a snippet as a module, from a file in `folder`."""
    file = folder / "snippet.py"
    file.write_text(snippet)
    runpy.run_path(str(file), run_name="snippet")


ADDITIONS = snippets(LIBRARY)


def test_a_snippet_shows_each_kind_of_addition():
    assert ADDITIONS.keys() == {f"A {kind}" for kind in (
        "system", "sampler", "data set", "metric", "network"
    )}  # fmt: skip


@pytest.mark.parametrize("title", ADDITIONS)
def test_snippets_of_the_library_run(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(ADDITIONS[title], tmp_path)


def test_the_snippet_of_the_readme_runs(tmp_path, monkeypatch):
    (snippet,) = snippets((ROOT / "README.md").read_text()).values()
    untrained.run(tmp_path / "runs" / "quickstart")
    monkeypatch.chdir(tmp_path)
    run(snippet, tmp_path)
    assert {p.name for p in tmp_path.glob("*.gif")} == {"triangle.gif", "unguided.gif"}
