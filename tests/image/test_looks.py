"""Parsing of the kernel's files, an OCI layout, a seccomp profile and a directory, on small examples."""

import gzip
import io
import json
import py_compile
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from image import container, scratch, seccomp
from image.base import is_kept
from image.inside import voided, writing
from image.layers import layers, strays
from image.node import changes, snapshot
from image.trial import RIGHTS, bytecode, rights

MOUNTINFO = """\
1 0 0:1 / / ro,relatime - overlay overlay rw
2 1 0:2 / /proc rw,nosuid - proc proc rw
3 2 0:3 / /proc/keys rw - tmpfs tmpfs rw
4 1 0:4 / /var/lib/shipper rw,nodev - ext4 /dev/x rw
5 1 0:5 / /var/log/pods ro,nodev - ext4 /dev/x rw
6 4 0:6 / /var/lib/shipper/a\\040b ro - ext4 /dev/x rw
"""


# The container


def test_a_mount_counts_as_writable_by_its_own_options_not_by_its_file_systems() -> None:
    assert container.writable(MOUNTINFO) == ["/var/lib/shipper"]


def test_a_process_whose_name_has_spaces_and_brackets_has_started_too() -> None:
    rest = " ".join(str(number) for number in range(4, 53))
    assert container.started(f"7 (a) b) S {rest}") == pytest.approx(22 * container.TICK)


def test_a_status_is_read_by_name() -> None:
    assert container.fields("Uid:\t1\t2\nGroups:\t \n") == {"Uid": "1\t2", "Groups": ""}


def test_the_rights_that_were_asked_for_are_the_kernels_word() -> None:
    status = {**RIGHTS, "NSpid": "4711\t1"}
    assert [row.is_fine for row in rights(status, ["/dev", "/var/lib/shipper"])] == [True, True]
    assert [row.is_fine for row in rights(status, ["/", "/dev", "/var/lib/shipper"])] == [True, False]
    assert not rights({**status, "NSpid": "4711"}, [])[0].is_fine


@pytest.mark.parametrize("name", sorted(RIGHTS))
def test_each_right_too_many_is_noticed(name: str) -> None:
    row = rights({**RIGHTS, "NSpid": "4711\t1", name: "7"}, [])[0]
    assert row.is_fine is False
    assert name in row.figures


def test_a_module_that_is_compiled_at_its_start_is_noticed() -> None:
    loaded = "# code object from '/a/__pycache__/b.cpython-313.pyc'\n"
    assert bytecode(loaded).is_fine
    assert bytecode(loaded + "# code object from /a/c.py\n").is_fine is False
    assert bytecode("").is_fine is False  # it would have said so


# What is deleted, and what has changed


def test_what_is_mounted_below_a_directory_is_found_innermost_first() -> None:
    assert scratch.mounted(MOUNTINFO, Path("/var/lib")) == ["/var/lib/shipper/a b", "/var/lib/shipper"]
    assert scratch.mounted(MOUNTINFO, Path("/var/lib/ship")) == []


def test_a_scratch_directory_is_gone_whatever_happens(tmp_path: Path) -> None:
    with suppress(FileNotFoundError), scratch.scratch(tmp_path) as directory:
        (directory / "file").touch()
        (directory / "missing" / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_each_change_of_a_file_is_seen(tmp_path: Path) -> None:
    for name in ("same", "grown", "moded", "gone"):
        (tmp_path / name).write_text("x")
    before = snapshot(tmp_path)
    (tmp_path / "grown").write_text("xx")
    (tmp_path / "moded").chmod(0o600)
    (tmp_path / "gone").unlink()
    (tmp_path / "new").touch()
    assert changes(before, snapshot(tmp_path)) == ["gone", "grown", "moded", "new"]


# The image


def layer(path: Path, files: dict[str, bytes]) -> dict[str, object]:
    """Add a layer to the layout at `path`; its descriptor."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as writer:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            writer.addfile(member, io.BytesIO(content))
    return blob(path, gzip.compress(tar.getvalue()))


def blob(path: Path, content: bytes) -> dict[str, object]:
    """Add a blob to the layout at `path`; its descriptor."""
    directory = path / "blobs" / "sha256"
    directory.mkdir(parents=True, exist_ok=True)
    name = str(len(list(directory.iterdir())))
    (directory / name).write_bytes(content)
    return {"digest": f"sha256:{name}", "size": len(content)}


def test_layers_are_weighed_as_they_are_pulled_and_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    below, own = layer(tmp_path, {"usr/bin/python3": b"x" * 10}), layer(tmp_path, {"a.pyc": b"y" * 5000, "b": b""})
    manifest = blob(tmp_path, json.dumps({"layers": [below, own]}).encode())
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [manifest]}))
    first, second = layers(tmp_path)
    assert (first.packed, first.unpacked, first.files) == (below["size"], 10, ("usr/bin/python3",))
    assert (second.packed, second.unpacked, second.files) == (own["size"], 5000, ("a.pyc", "b"))


def test_what_is_neither_the_agents_nor_bytecode_is_a_stray() -> None:
    assert strays(("opt/shipper/bin/shipper", "usr/lib/python3.13/x.pyc", "tmp/loaded")) == ["tmp/loaded"]


def test_the_stand_in_has_neither_bytecode_nor_what_apt_leaves() -> None:
    kept = {"usr/lib/python3.13/os.py", "var/cache", "device"}
    left_out = {"usr/lib/python3.13/__pycache__/os.cpython-313.pyc", "var/cache/apt/archives/x.deb", "dev/null"}
    assert {name for name in kept | left_out if is_kept(name)} == kept


# Inside


def test_only_bytecode_that_holds_whatever_the_times_counts(tmp_path: Path) -> None:
    mode = py_compile.PycInvalidationMode
    for name in ("good", "none", "timed", "stale"):
        (tmp_path / f"{name}.py").write_text(f"A = {name!r}\n")
    py_compile.compile(str(tmp_path / "good.py"), invalidation_mode=mode.UNCHECKED_HASH)
    py_compile.compile(str(tmp_path / "timed.py"), invalidation_mode=mode.TIMESTAMP)
    py_compile.compile(str(tmp_path / "stale.py"), invalidation_mode=mode.UNCHECKED_HASH)
    (tmp_path / "stale.py").write_text("B = 1\n")
    count, lacking = voided(tmp_path)
    assert count == 4
    assert [Path(path).stem for path in lacking] == ["none", "stale", "timed"]


def test_a_write_is_tried_for_real(tmp_path: Path) -> None:
    assert writing(str(tmp_path)) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["written"]
    assert writing(str(tmp_path / "missing")) == "ENOENT"


# System calls


ENGINE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {}, "excludes": {}},
        {"names": ["sync"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["ppc64le"]}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}, "errnoRet": 1},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 2, "value": 9, "op": "SCMP_CMP_NE"}]},
    ],
}


def test_rules_for_other_machines_and_for_capabilities_are_left_out() -> None:
    made = seccomp.convert(ENGINE, "x86_64")
    assert made["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert (made["defaultAction"], made["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert [(rule["names"], rule["action"]) for rule in made["syscalls"]] == [
        (["read"], "SCMP_ACT_ALLOW"),
        (["arch_prctl"], "SCMP_ACT_ALLOW"),
        (["bpf"], "SCMP_ACT_ERRNO"),
        (["socket"], "SCMP_ACT_ALLOW"),
    ]
    assert made["syscalls"][2]["errnoRet"] == 1
    assert made["syscalls"][3]["args"] == [{"index": 2, "value": 9, "op": "SCMP_CMP_NE"}]
