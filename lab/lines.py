"""Access-log lines that are made up, where no Envoy is needed."""

import json


def timed_out(ident: int, **fields: object) -> bytes:
    """A request that ran into its timeout: `keep: ut` keeps it."""
    return json.dumps({"request_id": str(ident), "response_flags": "UT", **fields}, separators=(",", ":")).encode()


def healthy(ident: int, **fields: object) -> bytes:
    """A request that did not, though it looks a little like it."""
    record = {"request_id": str(ident), "response_flags": "-", "path": "/UT", "user_agent": '"UT"', **fields}
    return json.dumps(record, separators=(",", ":")).encode()
