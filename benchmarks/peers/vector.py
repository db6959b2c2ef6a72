"""Vector: a file source, one remap with a text search before it parses, and its Loki sink."""

from functools import partial
from urllib.parse import urlsplit

from benchmarks.corpus import JOB
from benchmarks.peers.path import NEEDLE, POD
from benchmarks.shipper import CONTAINER_LOGS, Job, Shipper

CONFIG = """\
data_dir: {state}
sources:
  logs:
    type: file
    include: ["{root}/{logs}"]
    read_from: beginning
transforms:
  maybe:
    type: filter
    inputs: [logs]
    condition: 'contains(string!(.message), s''{needle}'')'
  parsed:
    type: remap
    inputs: [maybe]
    drop_on_abort: true
    drop_on_error: true
    source: |
      parts = split(string!(.message), " ", limit: 4)
      record = object!(parse_json!(parts[3]))
      if record.response_flags != "UT" {{ abort }}
      .pod = parse_regex!(.file, r'{pod}')
      .labels = compact({{
        "source_san": record.downstream_peer_uri_san,
        "termination_details": record.connection_termination_details,
      }})
      .message = parts[3]
      .timestamp = parse_timestamp!(parts[0], "%+")
sinks:
  loki:
    type: loki
    inputs: [parsed]
    endpoint: "{endpoint}"
    healthcheck: {{enabled: false}}
    encoding: {{codec: text}}
    out_of_order_action: accept
    labels:
      job: {job}
      response_flags: UT
      namespace: "{{{{ pod.namespace }}}}"
      app: "{{{{ pod.app }}}}"
      service_name: "{{{{ pod.app }}}}"
      pod: "{{{{ pod.pod }}}}"
      "*": "{{{{ labels }}}}"
"""


def shippers(binary: str) -> list[Shipper]:
    """One: the search first costs nothing where much is kept."""
    return [Shipper("Vector, filter first", partial(_command, binary))]


def _command(binary: str, job: Job) -> list[str]:
    url = urlsplit(job.url)
    path = job.state / "vector.yaml"
    config = CONFIG.format(
        state=job.state,
        root=job.root,
        logs=CONTAINER_LOGS,
        needle=NEEDLE,
        pod=POD,
        endpoint=f"{url.scheme}://{url.netloc}",
        job=JOB,
    )
    path.write_text(config, encoding="utf-8")
    return [binary, "--quiet", "--config", str(path)]
