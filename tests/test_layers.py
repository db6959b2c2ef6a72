"""Who may import whom. Bytes flow from source through pipeline to sink; only `agent` knows all three.

`source` feeds the pipeline, so it may use its types. The pipeline knows neither what comes before nor after it, and
never waits; the sink knows neither of the two.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "shipper"
SOURCE, PIPELINE, SINK = "shipper.source", "shipper.pipeline", "shipper.sink"
WAITS = ("aiohttp", "asyncio", "concurrent", "io", "os", "pathlib", "random", "socket", "threading", "time")


def imports(path: Path) -> set[str]:
    """The full names that a module imports; `from a import b` may name the module `a.b`, so it gives both."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            found.update({str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names})
    return found


def below(directory: str) -> list[Path]:
    return sorted((ROOT / directory).rglob("*.py"))


def offences(modules: list[Path], *forbidden: str) -> list[str]:
    """`module imports name` for each import of a forbidden package, or of what is in it."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules
        for name in sorted(imports(path))
        if any(name == package or name.startswith(f"{package}.") for package in forbidden)
    ]


def test_the_source_does_not_know_the_sink() -> None:
    assert offences(below("source"), SINK, "shipper.agent") == []


def test_the_pipeline_knows_neither_source_nor_sink_and_never_waits() -> None:
    assert offences(below("pipeline"), SOURCE, SINK, "shipper.agent", *WAITS) == []


def test_the_sink_knows_neither_source_nor_pipeline() -> None:
    assert offences(below("sink"), SOURCE, PIPELINE, "shipper.agent") == []


def test_only_the_agent_puts_them_together() -> None:
    layers = {ROOT / "agent.py", *below("source"), *below("pipeline"), *below("sink"), *below("explain")}
    assert offences(sorted({*below(".")} - layers), SOURCE, PIPELINE, SINK) == []


def test_what_explains_a_line_knows_only_what_reads_one() -> None:
    assert offences(below("explain"), SOURCE, SINK, "shipper.agent", "aiohttp", "asyncio") == []


@pytest.mark.parametrize("package", [SOURCE, PIPELINE, SINK])
def test_the_agent_is_seen_to_import_each(package: str) -> None:
    assert offences([ROOT / "agent.py"], package) != []
