"""Applies deploy/mesh/envoyfilter.yaml to a listener, as istiod does; so what is tested is what is deployed.

Knows the three kinds of patch that file has, and MERGE: objects are merged, lists grow, all else is replaced
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

Context = Literal["SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"]

_COMMENTED = re.compile(r"^( +)# ((?:- applyTo:|  +).*)$", re.MULTILINE)


def patched(listener: Json, context: Context, text: str | None = None) -> Json:
    """The listener with every patch for `context`; `text` is another file's than ours."""
    changed = copy.deepcopy(listener)
    for patch in patches(text):
        if patch["match"]["context"] == context:
            changed = _apply(patch, changed)
    return changed


def patches(text: str | None = None) -> list[Json]:
    """The file's configPatches."""
    document = yaml.safe_load(PATH.read_text() if text is None else text)
    found: list[Json] = document["spec"]["configPatches"]
    return found


def fields() -> dict[str, str]:
    """Name and operator of every field of the log."""
    [log] = patches()[0]["patch"]["value"]["access_log"]
    found: dict[str, str] = log["typed_config"]["log_format"]["json_format"]
    return dict(found)


def with_gateways() -> str:
    """The file with the patches for gateways switched on: their comment signs taken away."""
    return _COMMENTED.sub(r"\1\2", PATH.read_text())


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
