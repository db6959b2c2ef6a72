"""Promtail's clients to our one. Secrets that stand in the file itself are neither carried over nor shown."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

from shipper.promtail import values
from shipper.promtail.draft import CLIENT, Draft
from shipper.promtail.node import Node
from shipper.promtail.table import (
    Table,
    apply,
    changed,
    duration,
    expected_list,
    lost,
    number,
    same,
    section,
    size,
    text,
    texts,
    unless_off,
)

_IN_A_FILE: Final = "a secret is read from a file of its own, and read again when it changes"
_PASSWORD: Final = ("basic_auth:", "  username: {user}", "  password_file: /etc/shipper/loki-password")
_TOKEN: Final = ("bearer_token_file: /etc/shipper/loki-token",)


def _token(draft: Draft, node: Node) -> None:
    if node.text:
        _leave_out(draft, node, _TOKEN)


def _leave_out(draft: Draft, node: Node, lines: tuple[str, ...], user: str = "") -> None:
    """A secret is not carried over; a comment in our file shows the lines to use instead."""
    named = [line.format(user=values.one_line(user) or "NAME") for line in lines]
    draft.asides[CLIENT] = [f"{_IN_A_FILE}: write it there, and uncomment this", *named]
    draft.warn(node, f"not carried over: {_IN_A_FILE}; see the comment in the configuration")


def _basic_auth(draft: Draft, node: Node) -> None:
    user, password = node.at("username"), node.at("password_file")
    if node.at("password").text:
        _leave_out(draft, node.at("password"), _PASSWORD, user.text)
    elif user.text:
        draft.put((*CLIENT, "basic_auth", "username"), user.text, user)
        draft.put((*CLIENT, "basic_auth", "password_file"), password.text, password)
    apply(dict.fromkeys(("username", "password", "password_file"), same), draft, node)


def _authorization(draft: Draft, node: Node) -> None:
    kind = node.at("type")
    if kind.text.lower() not in ("", "bearer"):
        draft.lost(kind, "only Bearer has a counterpart; a fixed value can be set in `headers`")
        return
    file = text((*CLIENT, "bearer_token_file"))
    apply({"type": same, "credentials": _token, "credentials_file": file}, draft, node)


_TLS: Final[Table] = {
    **{name: text((*CLIENT, "tls_config", name)) for name in ("ca_file", "cert_file", "key_file", "server_name")},
    "insecure_skip_verify": unless_off(number((*CLIENT, "tls_config", "insecure_skip_verify"))),
    **dict.fromkeys(("ca", "cert"), unless_off(lost("a certificate is read from a file"))),
    "key": unless_off(lost("a key is read from a file")),
    **dict.fromkeys(("min_version", "max_version"), lost("the two ends choose the TLS version")),
}

BACKOFF_KEYS: Final[Table] = {
    "min_period": duration((*CLIENT, "backoff_config", "min_period")),
    "max_period": duration((*CLIENT, "backoff_config", "max_period")),
    "max_retries": changed("a batch is never given up: the lines wait in their files until Loki accepts them"),
}


def _url(draft: Draft, node: Node) -> None:
    try:
        parts = urlsplit(node.text)
    except ValueError:
        draft.warn(node, "not a URL, so nothing is shipped; it is not shown because it may hold a password")
        return
    account, at, host = parts.netloc.rpartition("@")
    draft.put((*CLIENT, "url"), urlunsplit(parts._replace(netloc=host)) if at else node.text, node)
    if at:
        _leave_out(draft, node, _PASSWORD, account.partition(":")[0])


CLIENT_KEYS: Final[Table] = {
    "url": _url,
    "name": same,
    "tenant_id": text((*CLIENT, "tenant_id")),
    "batchwait": duration((*CLIENT, "batchwait")),
    "batchsize": size((*CLIENT, "batchsize")),
    "timeout": duration((*CLIENT, "timeout")),
    "backoff_config": section(BACKOFF_KEYS),
    "basic_auth": _basic_auth,
    "bearer_token": _token,
    "bearer_token_file": text((*CLIENT, "bearer_token_file")),
    "authorization": _authorization,
    "tls_config": section(_TLS),
    "headers": texts((*CLIENT, "headers")),
    "external_labels": texts((*CLIENT, "external_labels")),
    "drop_rate_limited_batches": unless_off(
        changed("entries that Loki's rate limit refuses wait; they are not dropped")
    ),
    "stream_lag_labels": unless_off(changed("see shipper_lag_seconds{namespace, pod, container}, the lag of each log")),
    "oauth2": unless_off(lost("no OAuth 2: use bearer_token_file, and another program that renews the token in it")),
    "proxy_url": unless_off(
        changed("the environment variable HTTPS_PROXY names the proxy, HTTP_PROXY for an http:// url")
    ),
    "proxy_from_environment": same,
    "no_proxy": unless_off(changed("the environment variable NO_PROXY names the hosts that need no proxy")),
    "proxy_connect_header": unless_off(lost("the proxy gets no headers but those of a user name in HTTPS_PROXY")),
    "follow_redirects": changed(
        "307 and 308 on the same server are followed; another redirect is not: it is logged, and the lines wait"
    ),
    "enable_http2": same,
}


def clients(draft: Draft, top: Node) -> None:
    """Convert the first client that has a URL; `client` is an old form of a list of one."""
    alone = top.at("client")
    found = [*([alone] if isinstance(alone.value, dict) else []), *expected_list(draft, top.at("clients"))]
    if not found:
        draft.warn(top, "no client: the configuration counts lines and ships none; set clients[0].url")
        return
    first = next((client for client in found if client.at("url").text), found[0])
    for other in found:
        if other is not first:
            draft.lost(other, "only one Loki is pushed to; for another run a second agent with positions of its own")
    if first.at("url").text:
        apply(CLIENT_KEYS, draft, first)
    else:
        draft.warn(first, "no url, so nothing of this client is carried over")
