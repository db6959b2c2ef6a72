from hypothesis import given
from hypothesis import strategies as st

from shipper.source.tail.fingerprint import HEAD_BYTES, TELLING_BYTES, Fingerprint

heads = st.binary(max_size=HEAD_BYTES + 50)


@given(heads, st.binary(max_size=HEAD_BYTES))
def test_a_file_that_grows_stays_the_same(head: bytes, more: bytes) -> None:
    assert Fingerprint.of(head).matches(head + more)


@given(heads.filter(len), st.data())
def test_a_file_that_begins_otherwise_is_another(head: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, min(len(head), HEAD_BYTES) - 1))
    other = head[:at] + bytes([head[at] ^ 1]) + head[at + 1 :]
    assert not Fingerprint.of(head).matches(other)


@given(heads.filter(len))
def test_a_file_that_has_less_is_another(head: bytes) -> None:
    fingerprint = Fingerprint.of(head)
    assert not fingerprint.matches(head[: fingerprint.size - 1])


def test_an_empty_file_can_become_any() -> None:
    assert Fingerprint.of(b"") == Fingerprint()
    assert Fingerprint().matches(b"")
    assert Fingerprint().matches(b"anything")


def test_a_few_bytes_tell_nothing_without_the_inode() -> None:
    assert not Fingerprint.of(b"x" * (TELLING_BYTES - 1)).is_telling
    assert Fingerprint.of(b"x" * TELLING_BYTES).is_telling
