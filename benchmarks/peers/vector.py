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
      cri = parse_regex!(.message, r'^(?P<time>\\S+) (?:stdout|stderr) \\S+ (?P<log>.*)$')
      record = object!(parse_json!(cri.log))
      if record.response_flags != "UT" {{ abort }}
      .pod = parse_regex!(.file, r'{pod}')
      .source_san = record.downstream_peer_uri_san
      .termination_details = record.connection_termination_details
      .message = cri.log
      .timestamp = parse_timestamp!(cri.time, "%+")
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
      pod: "{{{{ pod.pod }}}}"
      source_san: "{{{{ source_san }}}}"
"""


def shippers(binary: str) -> list[Shipper]:
    """One: the search first costs nothing where much is kept."""
    unlike = frozenset({"service_name", "source_san"})
    return [Shipper("Vector, filter first", partial(_command, binary), unlike=unlike)]


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
