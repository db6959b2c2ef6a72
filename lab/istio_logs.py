"""The access logs that Istio itself puts into a sidecar.

Its default text format, and where it goes: to the requests and TCP connections as it is, to the listener for flag NR
alone. A Telemetry resource adds its own filter to both. Facts: Istio's documentation of `accessLogFormat`, and istiod's
code for access logs, read and not run.
"""

from typing import Final

import yaml

from lab.envoy_json import Json, cel, flagged, only, text_log
from lab.envoyfilter import PATH

TEXT_FORMAT: Final = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% '
    '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% '
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)


def telemetry_expression() -> str:
    """The filter of deploy/mesh/telemetry.yaml."""
    document = yaml.safe_load((PATH.parent / "telemetry.yaml").read_text())
    [logging] = document["spec"]["accessLogging"]
    return str(logging["filter"]["expression"])


def request_log(expression: str = "") -> Json:
    """What a connection manager or a TCP proxy has; `expression` is a Telemetry resource's filter, if there is one."""
    return only(text_log(TEXT_FORMAT), cel(expression)) if expression else text_log(TEXT_FORMAT)


def listener_log(expression: str = "") -> Json:
    """What a listener has: the connections that no filter chain takes."""
    return only(text_log(TEXT_FORMAT), flagged("NR"), *([cel(expression)] if expression else []))
