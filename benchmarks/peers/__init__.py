"""Other shippers, doing the same job: each is measured when its binary is named in the environment.

Each has the configuration a fair operator would write, and where a faster one is well known, that too. The job: read
the container logs from their beginning, take CRI and JSON apart, keep `response_flags` UT, the agent's labels (app,
namespace and pod from the path), the JSON as the line, CRI's time as the timestamp, positions on disk.
"""

from collections.abc import Callable, Mapping

from benchmarks.peers import alloy, fluent_bit, promtail, vector
from benchmarks.shipper import Shipper

PEERS: dict[str, Callable[[str], list[Shipper]]] = {
    "PROMTAIL_BIN": promtail.shippers,
    "FLUENT_BIT_BIN": fluent_bit.shippers,
    "VECTOR_BIN": vector.shippers,
    "ALLOY_BIN": alloy.shippers,
}


def given(environment: Mapping[str, str]) -> list[Shipper]:
    """Those whose binaries the environment names."""
    return [
        shipper
        for variable, shippers in PEERS.items()
        if (binary := environment.get(variable))
        for shipper in shippers(binary)
    ]
