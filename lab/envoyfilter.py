"""Applies the EnvoyFilters of deploy/mesh to a listener, as istiod does; so what is tested is what is deployed.

Knows the three kinds of patch those files have, and MERGE: objects are merged, lists grow, all else is replaced
(protobuf's own rule). A kind it does not know is an error, never passed over.
"""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from lab.envoy_json import Json

PATH: Final = Path(__file__).parent.parent / "deploy" / "mesh" / "envoyfilter.yaml"
SHORT: Final = PATH.with_name("envoyfilter-short.yaml")  # with a shorter outbound log
INBOUND: Final = PATH.with_name("envoyfilter-inbound.yaml")  # with no outbound log
WAYPOINT: Final = PATH.with_name("waypoint.yaml")  # the same logs, for a waypoint's listeners

OLDEST_ISTIO, NEWEST_ISTIO = "1.28.10", "1.32-dev"  # with the Envoys that are tested, as their proxies report it

Context = Literal["SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"]

_COMMENTED = re.compile(r"^( +)# ((?:- applyTo:|  +).*)$", re.MULTILINE)


def patched(listener: Json, context: Context, text: str | None = None, istio: str = OLDEST_ISTIO) -> Json:
    """The listener of a proxy of this Istio with every patch for `context`; `text` is another file's than `PATH`."""
    changed = copy.deepcopy(listener)
    for patch in patches(text):
        if reaches(patch, context, istio) and _is_for(patch, changed):
            changed = _apply(patch, changed)
    return changed


def patches(text: str | None = None) -> list[Json]:
    """The file's configPatches."""
    document = yaml.safe_load(PATH.read_text() if text is None else text)
    found: list[Json] = document["spec"]["configPatches"]
    return found


def reaches(patch: Json, context: Context, istio: str) -> bool:
    """Whether istiod gives the patch to a proxy of this context, which reports this version of Istio."""
    match = patch["match"]
    proxy = match.get("proxy", {})
    if unknown := (match.keys() - {"context", "proxy", "listener"}) | (proxy.keys() - {"proxyVersion"}):
        raise ValueError(f"match {sorted(unknown)}: not known here")
    return match["context"] == context and re.search(proxy.get("proxyVersion", ""), istio) is not None


def _is_for(patch: Json, listener: Json) -> bool:
    """Whether the patch names this listener, or none."""
    named = patch["match"].get("listener", {}).get("name")
    return named is None or named == listener["name"]


def access_log(patch: Json) -> Json:
    """The one log that a patch adds."""
    value = patch["patch"]["value"]
    [log] = value.get("access_log") or value["typed_config"]["access_log"]
    found: Json = log
    return found


def fields(text: str | None = None, context: Context = "SIDECAR_INBOUND") -> dict[str, str]:
    """Name and operator of every field of the log for `context`."""
    patch = next(patch for patch in patches(text) if patch["match"]["context"] == context)
    return dict(access_log(patch)["typed_config"]["log_format"]["json_format"])


def with_gateways(text: str | None = None) -> str:
    """The file with the patches for gateways switched on: their comment signs taken away."""
    return _COMMENTED.sub(r"\1\2", PATH.read_text() if text is None else text)


def merge(value: Any, patch: Any) -> Any:
    """`value` with `patch` merged into it; neither is changed."""
    if isinstance(value, dict) and isinstance(patch, dict):
        both = {key: merge(value[key], patch[key]) for key in value.keys() & patch.keys()}
        return {**value, **copy.deepcopy(patch), **both}
    if isinstance(value, list) and isinstance(patch, list):
        return [*value, *copy.deepcopy(patch)]
    return copy.deepcopy(patch)


def _apply(patch: Json, listener: Json) -> Json:
    match, change = patch["match"], patch["patch"]
    if change["operation"] != "MERGE":
        raise ValueError(f"operation {change['operation']}: only MERGE is known here")
    if patch["applyTo"] == "LISTENER":
        merged: Json = merge(listener, change["value"])
        return merged
    if patch["applyTo"] == "NETWORK_FILTER":
        name = match["listener"]["filterChain"]["filter"]["name"]
        for filters, at in _network_filters(listener):
            if filters[at]["name"] == name:
                filters[at] = merge(filters[at], change["value"])
        return listener
    raise ValueError(f"applyTo {patch['applyTo']}: not known here")


def _network_filters(listener: Json) -> Iterator[tuple[list[Json], int]]:
    for chain in listener["filter_chains"]:
        for at in range(len(chain["filters"])):
            yield chain["filters"], at
