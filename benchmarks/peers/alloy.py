"""Grafana Alloy: Promtail's stages in its own language, with a line filter before them."""

from functools import partial

from benchmarks.corpus import JOB
from benchmarks.peers.path import NEEDLE, POD
from benchmarks.shipper import CONTAINER_LOGS, Job, Shipper

CONFIG = """\
logging { level = "warn" }
local.file_match "logs" {
  path_targets = [{"__path__" = "@root@/@logs@", "job" = "@job@"}]
}
loki.source.file "logs" {
  targets    = local.file_match.logs.targets
  forward_to = [loki.process.keep.receiver]
}
loki.process "keep" {
  forward_to = [loki.write.loki.receiver]
  stage.match {
    selector = "{job=\\"@job@\\"} != `@needle@`"
    action   = "drop"
  }
  stage.cri { }
  stage.json {
    expressions = {
      response_flags      = "",
      termination_details = "connection_termination_details",
      source_san          = "downstream_peer_uri_san",
    }
  }
  stage.labels { values = {response_flags = ""} }
  stage.match {
    selector = "{response_flags!=\\"UT\\"}"
    action   = "drop"
  }
  stage.labels { values = {termination_details = "", source_san = ""} }
  stage.regex {
    source     = "filename"
    expression = `@pod@`
  }
  stage.labels { values = {namespace = "", pod = "", app = "", service_name = "app"} }
  stage.label_drop { values = ["filename", "stream"] }
}
loki.write "loki" {
  endpoint { url = "@url@" }
}
"""


def shippers(binary: str) -> list[Shipper]:
    """One: what Promtail was is known."""
    return [Shipper("Alloy, line filter first", partial(_command, binary))]


def _command(binary: str, job: Job) -> list[str]:
    config = CONFIG
    values = {"root": job.root, "logs": CONTAINER_LOGS, "job": JOB, "needle": NEEDLE, "pod": POD, "url": job.url}
    for name, value in values.items():
        config = config.replace(f"@{name}@", str(value))
    path = job.state / "config.alloy"
    path.write_text(config, encoding="utf-8")
    quiet = ("--server.http.listen-addr=127.0.0.1:0", "--disable-reporting")
    return [binary, "run", f"--storage.path={job.state / 'data'}", *quiet, str(path)]
