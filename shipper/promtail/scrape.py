"""Promtail's scrape jobs to our one: which job, which logs it reads, and what its stages do."""

from typing import Final

from shipper.promtail.draft import JOB, Draft
from shipper.promtail.job import Job, finish, fix
from shipper.promtail.node import Node
from shipper.promtail.paths import take_path
from shipper.promtail.relabel import relabel
from shipper.promtail.stages import pipeline
from shipper.promtail.table import Table, apply, expected_list, lost, same, text, unless_off

_OTHER_INPUT: Final = lost("only files are read, no other input")
_JOB: Final[Table] = {
    "job_name": text((*JOB, "job_name")),
    "kubernetes_sd_configs": same,  # these four: see below
    "static_configs": same,
    "relabel_configs": same,
    "pipeline_stages": same,
    "entry_parser": lost("an old name of the cri and docker stages: the container runtime's prefix is always read"),
    "decompression": lost("rotated logs are read, .gz files too, without a setting"),
    "encoding": lost("logs are UTF-8, as the container runtime writes them"),
    "limit_config": unless_off(lost("reading has no rate limit, so no line is dropped for it")),
    "file_sd_configs": lost("targets are found in the log directory, not in a list"),
    **dict.fromkeys(
        (
            "journal", "syslog", "gcplog", "push", "windows_events", "kafka", "gelf", "cloudflare", "heroku_drain",
            "azure_event_hubs", "docker_sd_configs", "consul_sd_configs", "consulagent_sd_configs", "dns_sd_configs",
            "ec2_sd_configs", "gce_sd_configs", "azure_sd_configs", "openstack_sd_configs", "marathon_sd_configs",
            "nerve_sd_configs", "serverset_sd_configs", "triton_sd_configs", "loki_push_api",
        ),
        _OTHER_INPUT,
    ),
}  # fmt: skip
_DISCOVERY: Final[Table] = {
    "role": lambda draft, node: draft.warn(node, "only pods have logs") if node.text != "pod" else None,
    "namespaces": unless_off(lambda draft, node: draft.warn(node, "all namespaces are read, not only these")),
    "selectors": unless_off(lambda draft, node: draft.warn(node, "all pods are read, not only the selected ones")),
    **dict.fromkeys(("api_server", "kubeconfig_file"), lost("the API server is that of the agent's own cluster")),
}


def scrape(draft: Draft, top: Node) -> None:
    """The job that reads istio-proxy, else the first that reads pods, else the first."""
    jobs = expected_list(draft, top.at("scrape_configs"))
    if not jobs:
        draft.warn(top, "no scrape_configs: the defaults read istio-proxy of all pods")
        return
    chosen = max(jobs, key=_fitness)
    for other in jobs:
        if other is not chosen:
            draft.lost(
                other, f"only one job is read, {chosen.key} on line {chosen.line}; run a second agent for another"
            )
    _job(draft, Job(chosen))


def _fitness(job: Node) -> int:
    """How likely the job is the one that reads Envoy's logs."""
    return 2 * _says(job, "istio-proxy") + bool(job.at("kubernetes_sd_configs").each() or _says(job, "/var/log/pods"))


def _says(node: Node, word: str) -> bool:
    inner = [child for _, child in node.items()] + node.each()
    return word in node.text or any(_says(child, word) for child in inner)


def _job(draft: Draft, job: Job) -> None:
    node = job.node
    apply(_JOB, draft, node)
    for discovery in expected_list(draft, node.at("kubernetes_sd_configs")):
        apply(_DISCOVERY, draft, discovery)
    for group in expected_list(draft, node.at("static_configs")):
        _static(draft, job, group)
    relabel(draft, job, node.at("relabel_configs"))
    _containers(draft, job)
    pipeline(draft, job, node.at("pipeline_stages"))
    _what_promtail_would_do(draft, job)
    _keep(draft, job)
    finish(draft, job)


def _static(draft: Draft, job: Job, group: Node) -> None:
    """Fixed labels, and the path among them."""
    apply({"targets": same, "labels": same}, draft, group)
    for name, value in group.at("labels").items():
        if name == "__path__":
            if job.has_path:
                draft.lost(value, "only one directory is read")
            else:
                take_path(draft, value, value.text)
            job.has_path = True
        elif name == "__path_exclude__":
            draft.lost(value, "logs cannot be excluded by path; use pod_logs.exclude_namespaces")
        elif not name.startswith("__"):
            fix(draft, job, value, name, value.text)


def _containers(draft: Draft, job: Job) -> None:
    path = (*JOB, "pod_logs", "containers")
    if job.listed:
        draft.put(path, job.listed, job.node)
    elif draft.value(path) is None:
        draft.put(path, ["istio-proxy"], job.node, "chosen: Promtail's job names no container")
        draft.changed(job.node, "only istio-proxy containers are read; Promtail's job reads all")


def _what_promtail_would_do(draft: Draft, job: Job) -> None:
    """Warn of mistakes that keep Promtail's job from working."""
    if not job.has_path:
        draft.warn(job.node, "no __path__: Promtail finds no file and ships nothing "
                   '(promtail_targets_failed_total{reason="no_path"}); here the logs are found below '
                   "pod_logs.root")  # fmt: skip
    if "job" not in job.labels:
        draft.warn(job.node, "no label job: Promtail sets none from job_name, so a query for {job=...} finds nothing; "
                   "here it is set")  # fmt: skip


def _keep(draft: Draft, job: Job) -> None:
    why = (
        "keeps lines with the flag UT, an upstream timeout; failed handshakes do not have that flag: `mtls` keeps them"
    )
    draft.put((*JOB, "keep"), "ut", job.node, why)
    if not job.filters:
        draft.warn(job.node, "no stage keeps lines by response_flags: Promtail ships every line, here only lines with "
                   "the flag UT are (`keep: ut`), or failed handshakes (`keep: mtls`)")  # fmt: skip
