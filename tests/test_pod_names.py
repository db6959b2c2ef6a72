"""Names are made as Kubernetes makes them, and the app must be what they were made of."""

import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shipper.pod_names import app_of

LETTERS = "bcdfghjklmnpqrstvwxz2456789"
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
BASE = st.one_of(
    st.lists(WORD, min_size=1, max_size=4).map("-".join),
    st.tuples(st.sampled_from(["payment", "redis", "shard", "api-v", "s3"]), st.integers(0, 99)).map(
        "{0[0]}-{0[1]}".format
    ),
)
SUFFIX = st.text(LETTERS, min_size=5, max_size=5)
HASH = st.integers(10**7, 2**32 - 1).map(lambda number: "".join(LETTERS[ord(digit) % 27] for digit in str(number)))
MINUTE = st.integers(24_000_000, 99_999_999)


def generated(prefix: str, suffix: str) -> str:
    """As the API server makes it of `generateName`."""
    return prefix[:58] + suffix


@pytest.mark.parametrize(
    ("pod", "app"),
    [
        ("payment-service-7d4b9c6f5d-x2x7k", "payment-service"),
        ("payment-0-7d4b9c6f5d-x2x7b", "payment-0"),
        ("redis-7-7d4b9c6f5d-x2x7b", "redis-7"),
        ("shard-3-5f9c8d7b66-24567", "shard-3"),
        ("api-v-2-6bdfc8f9c7-kz9qx", "api-v-2"),
        ("backup-28374650-x2x7k", "backup"),
        ("backup-2-28374650-x2x7k", "backup-2"),
        ("backup-28374650-3-x2x7k", "backup"),
        ("indexed-3-x2x7k", "indexed"),
        ("node-agent-x2x7k", "node-agent"),
        ("postgres-12", "postgres"),
        ("redis-7-0", "redis-7"),
        ("payment-service", "payment-service"),
        ("-x2x7k", "-x2x7k"),
    ],
)
def test_an_app_is_a_pod_without_what_was_generated(pod: str, app: str) -> None:
    assert app_of(pod) == app


@given(BASE, HASH, SUFFIX)
def test_a_deployment(base: str, template: str, suffix: str) -> None:
    assume(not template.isdecimal())  # 1 in 160; `web-20260101-4567894567-x2x7k` is read as of a CronJob
    assert app_of(f"{base}-{template}-{suffix}") == base


@given(BASE, st.integers(0, 9999))
def test_a_stateful_set(base: str, ordinal: int) -> None:
    assert app_of(f"{base}-{ordinal}") == base


@given(BASE, SUFFIX)
def test_a_daemon_set_or_a_job(base: str, suffix: str) -> None:
    last = f"-{base}".rpartition("-")[2]
    # Ambiguous: what an index, a scheduled minute or a template hash looks like.
    assume("-" not in base or not (last.isdecimal() or re.fullmatch(f"[{LETTERS}]{{7,10}}", last)))
    assert app_of(f"{base}-{suffix}") == base


@given(BASE, st.integers(0, 9999), SUFFIX)
def test_an_indexed_job(base: str, index: int, suffix: str) -> None:
    assume(not re.search(r".-\d{8,10}$", base))  # ambiguous: a CronJob's
    assert app_of(f"{base}-{index}-{suffix}") == base


@given(BASE, MINUTE, SUFFIX, st.none() | st.integers(0, 99))
def test_a_cron_job_with_and_without_an_index(base: str, minute: int, suffix: str, index: int | None) -> None:
    assume(not re.search(r".-\d{8,10}$", base))
    job = f"{base}-{minute}"
    assert app_of(f"{job}-{suffix}" if index is None else f"{job}-{index}-{suffix}") == base


@given(BASE)
def test_a_pod_that_someone_has_named(base: str) -> None:
    last = f"-{base}".rpartition("-")[2]
    assume("-" not in base or not (last.isdecimal() or re.fullmatch(f"[{LETTERS}]{{5}}", last)))
    assert app_of(base) == base


@pytest.mark.parametrize("made", [lambda base, template: f"{base}-{template}-", lambda base, template: f"{base}-"])
@given(st.text("aeiou", min_size=47, max_size=57), HASH, SUFFIX)
def test_a_name_that_was_cut(made: Callable[[str, str], str], base: str, template: str, suffix: str) -> None:
    pod = generated(made(base, template), suffix)
    if len(pod) == 63:
        assert app_of(pod) == base


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?", fullmatch=True))
def test_every_pod_is_of_some_app(pod: str) -> None:
    assert app_of(pod)
    assert pod.startswith(app_of(pod))
