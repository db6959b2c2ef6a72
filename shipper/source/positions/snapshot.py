"""What a restart needs to know, by target: encoded once, and again only where it has changed."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from shipper.model import Target
from shipper.pipeline.answers import Answers, SavedAnswer
from shipper.pipeline.labels import Admission
from shipper.source.positions.file import SavedTarget


class Followed(Protocol):
    """One target and its files."""

    target: Target

    def saved(self, streams: list[dict[str, str]], answers: dict[str, list[SavedAnswer]]) -> SavedTarget:
        """What a restart needs."""


class Snapshot:
    """The state of all targets, as it goes into the positions file."""

    def __init__(self, admission: Admission, answers: Answers, saved: Mapping[str, SavedTarget]) -> None:
        """`saved` is what an earlier process left; it stays until its target is touched or forgotten."""
        self._admission, self._answers = admission, answers
        self._encoded: dict[str, msgspec.Raw] = {}
        self._touched: set[Followed] = set()  # since they were encoded
        self._generation = 0
        for key, target in saved.items():
            self._encoded[key] = target.encoded()
            admission.restore(key, target.streams)
            answers.restore(key, target.answers)

    @property
    def label_generation(self) -> int:
        """Grows with the label state: all that label sets depend on, beside the line."""
        if self._admission.changed or self._answers.changed:
            self._admission.changed = self._answers.changed = False
            self._generation += 1
        return self._generation

    def next_generation(self) -> None:
        """The label state has changed: a target has come, or has been named."""
        self._generation += 1

    def touch(self, followed: Followed) -> None:
        """What a restart needs to know of it may have changed."""
        self._touched.add(followed)

    def forget(self, key: str) -> None:
        """Save nothing of this target, until it is touched."""
        self._encoded.pop(key, None)

    def drop(self, followed: Followed) -> None:
        """This target is not followed any more."""
        self._touched.discard(followed)
        self.forget(followed.target.key)

    def encoded(self) -> Mapping[str, msgspec.Raw]:
        """Each target as it goes into the file."""
        for followed in self._touched:
            key = followed.target.key
            saved = followed.saved(self._admission.admitted(key), self._answers.answered(key))
            self._encoded[key] = saved.encoded()
        self._touched.clear()
        return self._encoded
