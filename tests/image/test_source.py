"""Of Python's own installation the official image keeps all but tests and static libraries."""

from pathlib import Path

from image.source import leave_out


def test_tests_and_static_libraries_go_and_nothing_else_does(tmp_path: Path) -> None:
    kept = ["bin/python3.13", "lib/libpython3.13.so.1.0", "lib/python3.13/json/__init__.py",
            "lib/python3.13/unittest/case.py"]  # fmt: skip
    gone = ["lib/libpython3.13.a", "lib/python3.13/test/test_os.py", "lib/python3.13/idlelib/idle_test/a.py",
            "lib/python3.13/ctypes/tests/deep/test/b.py"]  # fmt: skip
    for name in kept + gone:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    leave_out(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
