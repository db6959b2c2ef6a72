"""What is read of the API's answers."""

import msgspec
import pytest

from lab.kubernetes_forms import Form, told
from lab.pods import Pod
from shipper.kubernetes.rows import RowReader, WatchEvent, decode_event

MADE = Pod("shop", "checkout-1", uid="u", labels={"app": "checkout"}, annotations={"a": ',"managedFields":[]}}}'})


@pytest.mark.parametrize("around", [b"", b'{"type":"BOOKMARK"}\n'], ids=["alone", "in a text"])
@pytest.mark.parametrize("form", ["metadata", "Table"])
def test_an_event_is_read_as_far_as_it_is_used_and_nothing_is_missed(around: bytes, form: Form) -> None:
    line = told(form, "MODIFIED", MADE, 7, names=False).rstrip()
    found = decode_event(around + line + b"\n" + around, len(around), len(around) + len(line))
    assert found == msgspec.json.decode(line, type=WatchEvent)
    assert RowReader(()).row(found.object).metadata.annotations == dict(MADE.annotations)


@pytest.mark.parametrize(
    "rest",
    [b',"labels":{"app":"late"}}}}', b'},"spec":{"containers":[]}}}', b'}},"type":"MODIFIED"}'],
    ids=["in the metadata", "in the pod", "in the event"],
)
def test_what_comes_after_the_managers_of_fields_counts_too(rest: bytes) -> None:
    line = b'{"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{"manager":"x"}]' + rest
    assert decode_event(line) == msgspec.json.decode(line, type=WatchEvent)


@pytest.mark.parametrize(
    "rest",
    [b'}}}],"x":1}}', b'}}},{"cells":["b"],"object":{"metadata":{}}}]}}', b'}}}]},"type":"MODIFIED"}'],
    ids=["in the table", "in another row", "in the event"],
)
def test_what_comes_after_them_in_a_table_counts_too(rest: bytes) -> None:
    row = b'{"cells":["a"],"object":{"metadata":{"name":"a","managedFields":[{"manager":"x"}]'
    line = b'{"type":"ADDED","object":{"rows":[' + row + rest
    assert decode_event(line) == msgspec.json.decode(line, type=WatchEvent)
