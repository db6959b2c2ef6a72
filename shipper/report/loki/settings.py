"""Which Loki is asked, as whom, and what: the configuration's client, and what the command line says instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from shipper.config import ClientConfig, Config, ConfigError
from shipper.report.arguments import FLAGS
from shipper.report.loki.query import for_job, with_filter


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiOptions:
    """What the command line says of a Loki; None for what is not said."""

    url: str | None = None
    query: str | None = None
    since: str | None = None
    begin: str | None = None
    end: str | None = None
    against: str | None = None
    client: Mapping[str, str] = field(default_factory=dict)  # by flag


def client_config(options: LokiOptions, config: Config) -> ClientConfig:
    """The client that asks. Raises ConfigError."""
    if options.url is None and not config.clients:
        raise ConfigError("report: --loki is required, or a --config.file with a client")
    try:
        if config.clients:
            client = config.clients[0]
            client = msgspec.structs.replace(client, url=options.url) if options.url is not None else client
        else:
            client = ClientConfig(url=options.url or "")
        return _replaced(client, options.client)
    except ConfigError as error:
        flags = {key.rpartition(".")[2]: flag for flag, key in FLAGS.items()} | {"url": "--loki"}
        raise ConfigError(f"{flags.get(error.key, error.key)}: {error.problem}") from error


def query_of(options: LokiOptions, config: Config) -> str:
    """The query, as LogQL."""
    return with_filter(options.query or for_job(config.scrape_configs[0].job_name))


def _replaced(client: ClientConfig, flags: Mapping[str, str]) -> ClientConfig:
    values = {FLAGS[flag]: value for flag, value in flags.items()}
    basic = {key.partition(".")[2]: value for key, value in values.items() if key.startswith("basic_auth.")}
    tls = {key.partition(".")[2]: value for key, value in values.items() if key.startswith("tls_config.")}
    top: dict[str, object] = {key: value for key, value in values.items() if "." not in key}
    if basic:
        top["basic_auth"] = msgspec.structs.replace(client.basic_auth, **basic)
    if tls:
        top["tls_config"] = msgspec.structs.replace(client.tls_config, **tls)
    return msgspec.structs.replace(client, **top)
