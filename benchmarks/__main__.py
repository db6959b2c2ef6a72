"""`python -m benchmarks`: measures, prints the tables, and with `--write` keeps them for the record."""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from benchmarks import peers, report
from benchmarks.measure import Bench
from benchmarks.plan import FULL, GIB, SHORT, Plan
from benchmarks.sink import Sink

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long form, some fifteen minutes; else two")
    parser.add_argument("--write", action="store_true", help="write results/*.json, the plot, and the README's tables")
    parser.add_argument("--scratch", type=Path, help="where corpora go; memory by default, if there is room")
    options = parser.parse_args()
    plan = FULL if options.full else SHORT
    parent = options.scratch or _scratch(plan)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as scratch, Sink() as sink:
        results = Bench(plan, sink, Path(scratch), peers.given(os.environ)).run()
    text = report.markdown(plan, results)
    print("\n" + text)
    if options.write:
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{plan.name}.json").write_text(report.dump(report.document(plan, results)), "utf-8")
        (HERE / "results" / "cost.svg").write_text(report.plot(plan, results), "utf-8")
        _replace(HERE / "README.md", text)


def _scratch(plan: Plan) -> Path:
    """Memory, if it has room for the largest corpus twice; else the disk, whose cache must hold it."""
    needed = 2 * max(point.size for point in plan.points) + GIB
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > needed:
        return MEMORY
    return Path(tempfile.gettempdir())


def _replace(readme: Path, text: str) -> None:
    """Put the tables between the README's marks."""
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{text}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
