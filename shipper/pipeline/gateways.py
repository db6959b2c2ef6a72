"""Which proxies are gateways: they stand alone, and their listeners speak TLS to clients outside the mesh.

The names are those of Istio's own charts and operator (`istio-ingressgateway`, `istio-eastwestgateway`), and of the
Deployments that istiod makes for a Gateway resource (`<gateway>-istio`). A sidecar beside an application that is called
a gateway (`api-gateway`) is none.
"""

import re
from collections.abc import Mapping
from typing import Final

_GATEWAY: Final = re.compile(r"(?:ingress|egress|east-?west)-?gateway|-istio$")


def is_gateway(fields: Mapping[str, str]) -> bool:
    """Whether a target with these fields is a gateway, told by its `app`, else by its `pod`."""
    return _GATEWAY.search(fields.get("app") or fields.get("pod", "")) is not None
