"""Only the same server gets the same push."""

import pytest
from yarl import URL

from shipper.sink.answers.redirect import explained, followed

HERE = URL("https://loki.example/loki/api/v1/push")


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    "location",
    ["/push", "https://loki.example/push", "https://loki.example:443/push", "//LOKI.example/push", "../../../push"],
)
def test_on_the_same_server_it_is_followed(status: int, location: str) -> None:
    assert str(followed(HERE, status, location)) in ("https://loki.example/push", "https://loki.example:443/push")


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (301, "/push"),
        (302, "/push"),
        (303, "/push"),
        (200, "/push"),
        (204, "/push"),
        (307, ""),
        (307, "http://loki.example/push"),
        (307, "https://loki.example:8443/push"),
        (307, "https://loki.example.evil/push"),
        (307, "https://evil/loki.example"),
        (307, "https://loki.example@evil/push"),
        (307, "//evil/push"),
        (307, "javascript:alert(1)"),
        (307, "https://["),
    ],
)
def test_nothing_else_is_followed(status: int, location: str) -> None:
    assert followed(HERE, status, location) is None


def test_no_secret_of_a_target_is_used_or_shown() -> None:
    assert followed(HERE, 307, "https://us:secret@loki.example/push") == URL("https://loki.example/push")
    assert "secret" not in explained(HERE, "https://us:secret@else.example/push?secret#secret")
