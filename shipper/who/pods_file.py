"""Who had which address when, from pods as `kubectl get pods -A -o json` prints them.

A pod's own status says when its network was made and when its containers ended. What had ended and was deleted before
the file was written is not in it, so of many times nothing is known.
Facts: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle (PodReadyToStartContainers).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from shipper.errors import said
from shipper.kubernetes.metadata import ObjectMeta, app_name, owner_name
from shipper.times import parse_time
from shipper.who.addresses import canonical
from shipper.who.claim import Claim, Margins
from shipper.who.history import History
from shipper.who.holder import Holder

APP_LABELS: Final = ("app", "app.kubernetes.io/name")
LISTS: Final = ("List", "PodList")
NETWORK: Final = "PodReadyToStartContainers"  # since Kubernetes 1.29: whether the pod's network is there


class PodsFileError(ValueError):
    """The file cannot be used: its name, where in it, and what is wrong."""


class _Span(msgspec.Struct, frozen=True, rename="camel"):
    started_at: str | None = None
    finished_at: str | None = None


class _State(msgspec.Struct, frozen=True):
    running: _Span | None = None
    terminated: _Span | None = None


class _Container(msgspec.Struct, frozen=True, rename="camel"):
    state: _State = _State()
    restart_count: int = 0


class _Condition(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    status: str = ""
    last_transition_time: str | None = None


class _Ip(msgspec.Struct, frozen=True):
    ip: str = ""


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: list[_Ip] | None = msgspec.field(name="podIPs", default=None)
    conditions: list[_Condition] | None = None
    container_statuses: list[_Container] | None = None
    init_container_statuses: list[_Container] | None = None

    @property
    def addresses(self) -> set[str]:
        return {one.ip for one in self.pod_ips or ()} | {self.pod_ip} - {""}

    @property
    def containers(self) -> list[_Container]:
        return [*(self.init_container_statuses or ()), *(self.container_statuses or ())]


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    node_name: str = ""
    host_network: bool = False
    service_account_name: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: ObjectMeta
    kind: str = "Pod"
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _Document(msgspec.Struct, frozen=True):
    kind: str = ""
    items: list[msgspec.Raw] | None = None


_document: Final = msgspec.json.Decoder(_Document)
_pod: Final = msgspec.json.Decoder(_Pod)


def from_pods(
    path: Path,
    taken: int | None = None,
    *,
    app_labels: Sequence[str] = APP_LABELS,
    margins: Margins = Margins(),  # noqa: B008 frozen
) -> History:
    """The history that a file of pods tells: a List, a pod, or several of them behind each other.

    `taken`: when the pods were asked for, nanoseconds since 1970, UTC; None: when the file was last written. Of later
    times nothing is said. Raises PodsFileError.
    """
    try:
        data = path.read_bytes()
        taken = path.stat().st_mtime_ns if taken is None else taken
    except OSError as error:
        raise PodsFileError(said(error)) from error
    history = History(margins)
    history.advance(taken)
    for pod in _pods(str(path), data):
        for claim in _claims(pod, app_labels, taken):
            history.add(claim)
    return history


def _pods(name: str, data: bytes) -> Iterator[_Pod]:
    for start, text in _documents(name, data):
        where = f"{name}:{_line(data, start)}"
        try:
            document = _document.decode(text)
            if document.kind not in (*LISTS, "Pod"):
                raise PodsFileError(f"{where}: expected pods, got kind {document.kind!r}; kubectl get pods -A -o json")
            if document.kind == "Pod":
                yield _pod.decode(text)
        except msgspec.MsgspecError as error:
            raise PodsFileError(f"{where}: {error}") from error
        for number, item in enumerate(document.items or () if document.kind in LISTS else ()):
            try:
                pod = _pod.decode(item)
            except msgspec.MsgspecError as error:
                what = str(error).replace("`$.", f"`items[{number}].")
                begin = start + text.index(bytes(item))
                raise PodsFileError(f"{name}:{_line(data, begin)}: {what}") from error
            if pod.kind == "Pod":  # a list of several kinds may hold others
                yield pod


def _documents(name: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each JSON document begins, in bytes, and its text. Raises PodsFileError."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):  # several, or none: the slow way knows
        yield from _one_by_one(name, data)
    except RecursionError as error:
        raise PodsFileError(f"{name}: nested too deeply to be pods") from error
    else:
        yield 0, data


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def _one_by_one(name: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        where = f"{name}:{_line(data, error.start)}"
        raise PodsFileError(f"{where}: not UTF-8; kubectl get pods -A -o json writes it") from error
    at, decoder, found = 0, json.JSONDecoder(), False
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            _, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise PodsFileError(f"{name}:{error.lineno}: not JSON: {error.msg}, column {error.colno}") from error
        except RecursionError as error:
            raise PodsFileError(f"{name}: nested too deeply to be pods") from error
        found = True
        yield len(text[:at].encode()), text[at:end].encode()
        at = end
    if not found:
        raise PodsFileError(f"{name}: empty; kubectl get pods -A -o json > {name}")


# -- one pod


def _claims(pod: _Pod, app_labels: Sequence[str], taken: int) -> Iterator[Claim]:
    first, last = _first(pod.status), _last(pod, taken)
    if first is None or last is None:
        return
    holder = _holder(pod, app_labels)
    gone = None if last >= taken else last
    for address in filter(None, map(canonical, pod.status.addresses)):
        yield Claim(address, holder, first, last=gone, gone=gone)


def _holder(pod: _Pod, app_labels: Sequence[str]) -> Holder:
    meta, spec = pod.metadata, pod.spec
    if spec.host_network:
        return Holder("node", node=spec.node_name)
    return Holder(
        "pod",
        meta.namespace,
        meta.name,
        app_name(meta, app_labels),
        owner_name(meta),
        spec.node_name,
        spec.service_account_name,
    )


def _first(status: _Status) -> int | None:
    """Since when its network is there for sure: it was before a container of it began that still runs, or was never
    restarted."""
    made = (one for one in status.conditions or () if one.type == NETWORK and one.status == "True")
    if times := _times(one.last_transition_time for one in made):
        return times[0]
    running = _times(one.state.running.started_at for one in status.containers if one.state.running)
    ended = (one.state.terminated for one in status.containers if one.restart_count == 0)
    return min([*running, *_times(one.started_at for one in ended if one)], default=None)


def _last(pod: _Pod, taken: int) -> int | None:
    """Up to when it had its addresses for sure; None: not known at all."""
    deletion = _times([pod.metadata.deleting])
    if pod.status.phase not in ("Succeeded", "Failed"):
        return min([taken, *deletion])
    ends = [one.state.terminated.finished_at for one in pod.status.containers if one.state.terminated]
    return max(_times(ends), default=None)


def _times(texts: Iterable[str | None]) -> list[int]:
    """Those that are set and can be read."""
    return [nanos for text in texts if text and (nanos := parse_time(text.encode())) is not None]
