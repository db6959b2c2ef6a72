"""Who may import whom. Bytes flow from source through pipeline to sink; only `agent` knows all three.

`source` feeds the pipeline, so it may use its types. The pipeline knows neither what comes before nor after it, and
never waits; the sink knows neither of the two.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "shipper"
SOURCE, PIPELINE, SINK = "shipper.source", "shipper.pipeline", "shipper.sink"
# Each floor may use the floors below it, and what is in its own package.
FLOORS = (
    {
        *("backoff", "errors", "fields", "lifecycle", "log", "loop", "metrics", "pod_names", "push_pb2", "terminal"),
        *("proxy", "threads", "times", "tls"),
    },
    {"config", "kubernetes", "model"},
    {"credentials", "who", "wire"},
    {"entries"},
    {"pipeline", "promtail", "server"},
    {"reading"},
    {"directory", "explain", "peers", "source", "sink"},
    {"tap"},
    {"dry_run", "pages"},
    {"agent", "report"},
    {"cli"},
    {"__main__"},
)
WAITS = ("aiohttp", "asyncio", "concurrent", "io", "os", "pathlib", "random", "socket", "threading", "time")


def imports(path: Path) -> set[str]:
    """The full names that a module imports; `from a import b` may name the module `a.b`, so it gives both."""
    return {name for node in ast.walk(ast.parse(path.read_text("utf-8"))) for name in imported(node)}


def imported(node: ast.AST) -> Iterator[str]:
    """The names that one statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import"
        yield str(node.module)
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The module or package right below `shipper` that a name belongs to; empty for what is not ours."""
    return module.split(".")[1] if module.startswith("shipper.") else ""


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


def test_the_tail_knows_bytes_and_files_alone() -> None:
    """Neither metrics nor the runtime's line format, nor another part of the source."""
    modules = below("source/tail")
    ours = {name for path in modules for name in imports(path) if name.startswith("shipper.")}
    assert "shipper.model" in ours
    allowed = ("shipper.model", "shipper.times", "shipper.source.tail")
    assert [name for name in sorted(ours) if not name.startswith(allowed)] == []
    assert offences(modules, "prometheus_client") == []


def test_the_pipeline_knows_neither_source_nor_sink_and_never_waits() -> None:
    assert offences(below("pipeline"), SOURCE, SINK, "shipper.agent", *WAITS) == []


def test_the_sink_knows_neither_source_nor_pipeline() -> None:
    assert offences(below("sink"), SOURCE, PIPELINE, "shipper.agent") == []


def test_only_the_agent_puts_them_together() -> None:
    layers = {ROOT / "agent.py", *below("source"), *below("pipeline"), *below("sink"), *below("reading")}
    layers |= {*below("explain"), *below("peers"), *below("report")}
    assert offences(sorted({*below(".")} - layers), SOURCE, PIPELINE, SINK) == []


def test_what_explains_a_line_knows_only_what_reads_one() -> None:
    modules = [*below("explain"), *below("reading")]
    assert offences(modules, SOURCE, SINK, "shipper.agent", "aiohttp", "asyncio") == []


def test_what_asks_for_peers_knows_of_the_pipeline_only_what_an_answer_is() -> None:
    modules = below("peers")
    assert offences(modules, SOURCE, SINK, "shipper.agent") == []
    of_pipeline = {name for path in modules for name in imports(path) if name.startswith(f"{PIPELINE}.")}
    assert {name for name in of_pipeline if not name.startswith(f"{PIPELINE}.workloads")} == set()


def test_the_report_reads_logs_as_the_agent_does_and_knows_nothing_of_shipping_them() -> None:
    modules = below("report")
    assert offences(modules, "shipper.agent", "shipper.entries", "shipper.metrics") == []
    of_sink = {name for path in modules for name in imports(path) if name.startswith(f"{SINK}.")}
    assert {name for name in of_sink if not name.startswith((f"{SINK}.answers", f"{SINK}.no_answer"))} == set()


def test_tables_and_pages_are_made_of_what_is_imported_when_they_are_asked_for() -> None:
    for path in below("."):
        for node in ast.parse(path.read_text("utf-8")).body:
            assert not {"rich", "jinja2"} & {name.partition(".")[0] for name in imported(node)}, path


@pytest.mark.parametrize("package", [SOURCE, PIPELINE, SINK])
def test_the_agent_is_seen_to_import_each(package: str) -> None:
    assert offences([ROOT / "agent.py"], package) != []


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {name_of(path): path for path in below(".")}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        found = {one for node in ast.parse(path.read_text("utf-8")).body for one in imported(node)} & modules.keys()
        # `from package import module` needs the module; the package itself has begun to load by then.
        graph[name] = {one for one in found if not name.startswith(f"{one}.")}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(modules)


def test_nothing_imports_what_is_above_it() -> None:
    height = {room: at for at, rooms in enumerate(FLOORS) for room in rooms}
    for path in below("."):
        own = room_of(name_of(path))
        rooms = {room_of(name) for name in imports(path)} & height.keys() - {own}
        assert not own or own in height, f"{own} stands on no floor"
        assert [room for room in sorted(rooms) if height[room] >= height.get(own, -1)] == [], path


@pytest.mark.parametrize("wing", ["source/tail", "source/discovery", "source/positions"])
def test_a_wing_of_the_source_does_not_know_its_rooms(wing: str) -> None:
    rooms = [name_of(path) for path in (ROOT / "source").glob("*.py") if path.stem != "__init__"]
    assert offences(below(wing), *rooms) == []


def test_what_reads_lokis_answers_knows_nothing_of_pushing() -> None:
    rooms = [name_of(path) for path in (ROOT / "sink").glob("*.py") if path.stem != "__init__"]
    assert offences(below("sink/answers"), "shipper.metrics", "shipper.config", "aiohttp", "asyncio", *rooms) == []
