"""What a body says, in one line for a person: Loki's text as it is, a web page by its title.

Pure.
"""

import html
import re

LIMIT = 8192  # characters that are looked at
_HIDDEN = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")
_LOGIN = re.compile(r"type=[\"']?password|\b(log|sign)[ -]?(in|on)\b|single sign|\bsso\b|authenticat", re.IGNORECASE)


def is_page(text: str, content_type: str = "") -> bool:
    """Whether it is HTML or the like. Loki never sends it."""
    return "html" in content_type.lower() or text.lstrip("\ufeff \t\r\n").startswith("<")


def readable(text: str, content_type: str = "") -> str:
    """In one line, without tags; of a long text the beginning."""
    text = text[:LIMIT]
    if is_page(text, content_type):
        title = _TITLE.search(text)
        text = _TAG.sub(" ", title[1] if title else _HIDDEN.sub(" ", text))
        text = re.sub("[<>]", " ", html.unescape(text))
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(text.split())


def described(text: str, content_type: str) -> str:
    """What an answer is that is not Loki's: its kind, and how it begins."""
    first = readable(text, content_type)[:200]
    if is_page(text, content_type):
        kind = "a login page" if _LOGIN.search(text) else "a web page"
        return f'{kind} ("{first}")' if first else kind
    if not text:
        return "an empty answer"
    kind = re.sub(r"[^\w/.+-].*", "", content_type) or "an answer without a content type"
    return f'{kind} that begins "{first}"'
