"""Promtail: first as its documentation says (cri, json, keep), then with a line filter before all of that."""

import json
from functools import partial

from benchmarks.corpus import JOB
from benchmarks.peers.path import NEEDLE, POD
from benchmarks.shipper import CONTAINER_LOGS, Job, Shipper

CONFIG = """\
server: {{disable: true}}
positions: {{filename: {state}/positions.yaml}}
clients: [{{url: "{url}"}}]
scrape_configs:
  - job_name: {job}
    static_configs:
      - targets: [localhost]
        labels: {{job: {job}, __path__: "{root}/{logs}"}}
    pipeline_stages:
{first}
      - cri: {{}}
      - json:
          expressions:
            response_flags: response_flags
            termination_details: connection_termination_details
            source_san: downstream_peer_uri_san
      - labels: {{response_flags: }}
      - match: {{selector: '{{response_flags!="UT"}}', action: drop}}
      - labels: {{termination_details: , source_san: }}
      - regex: {{source: filename, expression: '{pod}'}}
      - labels: {{namespace: , pod: , app: , service_name: app}}
      - labeldrop: [filename, stream]
"""
FILTER = "      - match: {{selector: '{{job=\"{job}\"}} != {needle}', action: drop}}"


def shippers(binary: str) -> list[Shipper]:
    """Both variants."""
    return [
        Shipper("Promtail, parse first", partial(_command, binary, "")),
        Shipper("Promtail, line filter first", partial(_command, binary, FILTER)),
    ]


def _command(binary: str, first: str, job: Job) -> list[str]:
    path = job.state / "promtail.yaml"
    stage = first.format(job=JOB, needle=json.dumps(NEEDLE))
    config = CONFIG.format(
        state=job.state, url=job.url, job=JOB, root=job.root, logs=CONTAINER_LOGS, first=stage, pod=POD
    )
    path.write_text(config, encoding="utf-8")
    return [binary, f"-config.file={path}", "-log.level=warn"]
