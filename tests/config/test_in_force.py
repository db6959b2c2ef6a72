"""The configuration that is shown is the one in force, and gives no secret away."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config import Bytes, ClientConfig, Config, ScrapeConfig
from shipper.config.file import parse
from shipper.config.in_force import HIDDEN, in_force
from shipper.config.units import seconds

# Also what a file would take for a number, a variable or a list, were it not quoted.
TEXTS = st.text("ab01 $%{}[]:#'\"-.,&*!|>\\\u00e9~", min_size=1, max_size=20).filter(lambda text: text.strip()) | (
    st.sampled_from(["010", "12:30", "1e3", "yes", "null", "~", "${HOME}", "$$", "- a", "2026-11-30", "=", "<<"])
)


@pytest.mark.parametrize(
    "text",
    ["", "positions: {look_back: 90m}", "scrape_configs: [{keep: mtls, fields: {response_flags: a.b}}]",
     "clients: [{url: http://loki/push, batchsize: 300KiB, tls_config: {ca_file: /ca}}]",
     "scrape_configs: [{keep: mtls, peers: {url: http://directory, timeout: 3s, bearer_token_file: /run/token}}]"],
)  # fmt: skip
def test_it_is_read_back_as_the_same(text: str) -> None:
    config = parse(text.encode(), "a.yaml", {})
    assert parse(in_force(config).encode(), "b.yaml", {}) == config


@given(TEXTS, TEXTS, st.integers(0, 10**9), st.integers(1, 3 << 10))
def test_whatever_its_values_are(job: str, label: str, millis: int, kib: int) -> None:
    client = ClientConfig(
        url="http://loki/push",
        batchwait=seconds(f"{millis}ms"),
        batchsize=Bytes(kib << 10),
        external_labels={"a": label},
    )
    config = Config(clients=(client,), scrape_configs=(ScrapeConfig(job_name=job),))
    assert parse(in_force(config).encode(), "b.yaml", {"HOME": "no"}) == config


def test_no_secret_is_in_it() -> None:
    text = "clients: [{url: 'http://loki/push?key=SECRET', headers: {X-Key: SECRET}, bearer_token_file: /run/token}]"
    said = in_force(parse(text.encode(), "a.yaml", {}))
    assert "SECRET" not in said
    assert said.count(HIDDEN) == 2
    assert "/run/token" in said


def test_the_directory_is_shown_with_the_name_of_its_tokens_file_and_no_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("SECRET")
    text = f"scrape_configs: [{{peers: {{url: 'http://directory:9080', bearer_token_file: {token}}}}}]"
    said = in_force(parse(text.encode(), "a.yaml", {}))
    assert "url: http://directory:9080" in said
    assert f"bearer_token_file: {token}" in said
    assert "SECRET" not in said
