"""The lists of an API server's stand-in: whole from its cache, or page by page of one version."""

from collections.abc import Iterable, Mapping

from lab.kubernetes_forms import Form, Kind, Versioned, listed


class VersionExpired(Exception):
    """The pages of this version are gone."""


class Lists:
    """Cuts lists into pages, and keeps what the next ones will have."""

    def __init__(self) -> None:
        # By `continue`, which names the version: all objects of it, and how many the pages so far have had.
        self._rests: dict[str, tuple[list[Versioned], int]] = {}

    def forget(self) -> None:
        """The versions that pages were begun with are compacted."""
        self._rests.clear()

    def text(
        self, form: Form, kind: Kind, query: Mapping[str, str], version: str, objects: Iterable[Versioned]
    ) -> bytes:
        """What a request gets. Raises VersionExpired, ValueError for one that burdens the server, KeyError."""
        if "limit" not in query:
            if query["resourceVersion"] != "0":
                raise ValueError("a list that does not come from the cache")
            return listed(form, kind, {"resourceVersion": version}, objects)
        if "resourceVersion" in query:
            raise ValueError("a page of another version than the first one has")
        limit = int(query["limit"])
        if token := query.get("continue"):
            if token not in self._rests:
                raise VersionExpired
            version, (found, start) = token.partition("/")[0], self._rests[token]
        else:
            found, start = list(objects), 0
        metadata = {"resourceVersion": version}
        if len(found) > (end := start + limit):
            metadata["continue"] = f"{version}/{len(self._rests)}"
            self._rests[metadata["continue"]] = found, end
        return listed(form, kind, metadata, found[start : start + limit])
