import io

from hypothesis import example, given
from hypothesis import strategies as st

from shipper.report import blocks as module
from shipper.report.blocks import blocks


class Drips(io.BytesIO):
    """Gives a few bytes at a time."""

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        return super().readinto(buffer[:7])


@given(st.lists(st.text("ab", max_size=12).map(str.encode)), st.integers(1, 40), st.booleans())
@example([b"a" * 12], 1, False)
def test_any_bytes_come_as_whole_lines(lines: list[bytes], size: int, is_open: bool) -> None:
    data = b"".join(line + b"\n" for line in lines)
    data = data[:-1] if is_open else data
    found = [bytes(block) for block in blocks(Drips(data), lambda: None, size)]
    assert all(block.endswith(b"\n") for block in found)
    whole = data if not data or data.endswith(b"\n") else data + b"\n"
    assert b"".join(found) == whole


def test_a_line_that_fits_no_buffer_is_passed_over_and_told() -> None:
    longest = module.LONGEST
    data = b"first\n" + b"x" * (2 * longest + 5) + b"\nlast\n"
    passed: list[int] = []
    found = b"".join(bytes(block) for block in blocks(io.BytesIO(data), lambda: passed.append(1)))
    assert found == b"first\nlast\n"
    assert passed == [1]
