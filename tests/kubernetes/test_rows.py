"""What is read of the API's answers."""

import msgspec
import pytest

from lab.pods import Pod, event
from shipper.kubernetes.rows import WatchEvent, decode_event

MADE = Pod("shop", "checkout-1", uid="u", labels={"app": "checkout"}, annotations={"a": ',"managedFields":[]}}}'})


@pytest.mark.parametrize("around", [b"", b'{"type":"BOOKMARK"}\n'], ids=["alone", "in a text"])
def test_an_event_is_read_as_far_as_it_is_used_and_nothing_is_missed(around: bytes) -> None:
    line = event("MODIFIED", MADE.metadata(7)).rstrip()
    found = decode_event(around + line + b"\n" + around, len(around), len(around) + len(line))
    assert found == msgspec.json.decode(line, type=WatchEvent)
    assert found.object.metadata.annotations == dict(MADE.annotations)


@pytest.mark.parametrize(
    "rest",
    [b',"labels":{"app":"late"}}}}', b'},"spec":{"containers":[]}}}', b'}},"type":"MODIFIED"}'],
    ids=["in the metadata", "in the pod", "in the event"],
)
def test_what_comes_after_the_managers_of_fields_counts_too(rest: bytes) -> None:
    line = b'{"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{"manager":"x"}]' + rest
    assert decode_event(line) == msgspec.json.decode(line, type=WatchEvent)
