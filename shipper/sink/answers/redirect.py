"""Where an answer sends a push instead: followed on the same server, else said.

Pure. Credentials and lines go to no other server than the one that is configured, and never from https to http.
"""

from typing import Final

from yarl import URL

_SAME_METHOD: Final = (307, 308)  # the others make a GET of it


def target(url: URL, location: str) -> URL | None:
    """What a Location names; None: nothing that can be used."""
    try:
        found = url.join(URL(location)) if location else None
        return found if found and found.scheme in ("http", "https") and found.host else None
    except ValueError:
        return None


def followed(url: URL, status: int, location: str) -> URL | None:
    """Where the same push goes next; None: this is no redirect, or not one to follow."""
    found = target(url, location) if status in _SAME_METHOD else None
    is_same = found and (found.scheme, found.host, found.port) == (url.scheme, url.host, url.port)
    return found.with_user(None) if found and is_same else None


def explained(url: URL, location: str) -> str:
    """What to do about a redirect that is not followed. A query may hold secrets: it is not shown."""
    if found := target(url, location):
        shown = found.with_user(None).with_query(None).with_fragment(None)
        return f"redirected to {shown}, which is not followed: set the URL to it if that is Loki's"
    return "a redirect that names no target"
