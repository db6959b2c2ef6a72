"""Whether a request wants a page or data, by its `Accept` header (RFC 9110, 12.5.1)."""

from typing import Final

HTML: Final = "text/html"
JSON: Final = "application/json"


def wants_html(accept: str) -> bool:
    """A browser names HTML before all else; a program names JSON, anything, or nothing."""
    return _weight(accept, HTML) > _weight(accept, JSON)


def _weight(accept: str, media: str) -> float:
    """How much it is wanted: the weight of the closest range that holds it; 0 for not at all."""
    found = (-1, 0.0)
    for one in accept.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        closeness = (f"{media.partition('/')[0]}/*" == name) + 2 * (name == media) if name != "*/*" else 0
        if name == "*/*" or closeness:
            found = max(found, (closeness, _quality(parameters)))
    return found[1]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
