"""A Promtail file to our configuration and notes about it. Pure: text in, text out."""

from typing import Final

from shipper.promtail import agent_wide, values
from shipper.promtail.clients import clients
from shipper.promtail.draft import Draft
from shipper.promtail.node import parse
from shipper.promtail.notes import Note
from shipper.promtail.scrape import scrape
from shipper.promtail.table import Table, apply, same

_SECTIONS: Final = ("server", "positions", "client", "clients", "scrape_configs", "limits_config")
_TOP: Final[Table] = {**dict.fromkeys(_SECTIONS, same), **agent_wide.OTHERS}
_HEAD: Final = "# Made from Promtail's {name} by `shipper import`, whose report says what is not the same.\n\n"


def convert(text: bytes, name: str) -> tuple[str, list[Note]]:
    """Our configuration, YAML that `shipper check` accepts, and the notes. Raises ConfigError unless it is YAML."""
    top, draft = parse(text, name), Draft()
    apply(_TOP, draft, top)
    agent_wide.server(draft, top.at("server"))
    agent_wide.positions(draft, top.at("positions"))
    clients(draft, top)
    scrape(draft, top)
    apply(agent_wide.LIMITS, draft, top.at("limits_config"))
    _variables(draft)
    return _HEAD.format(name=values.one_line(name)) + draft.text(), draft.notes


def _variables(draft: Draft) -> None:
    """Note the use of `${VAR}`, which differs between the two."""
    for setting in draft.settings.values():
        texts = [str(text) for text in (setting.value if isinstance(setting.value, list) else [setting.value])]
        if named := [values.one_line(name) for text in texts for name in values.variables(text)]:
            draft.changed(
                setting.source,
                f"{', '.join(dict.fromkeys(named))} is always replaced here, in Promtail only with -config.expand-env; "
                "a variable that is not set and has no default is an error here",
            )
        if any("${" in values.without_variables(text) for text in texts):
            draft.warn(setting.source, "only ${NAME} and ${NAME:-default} are replaced here: this stays as it is")
