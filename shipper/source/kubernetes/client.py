"""kubernetes_asyncio without its weight: its configuration, its authentication and its client, and nothing else.

Imported as it stands it brings 850 modules, one for each kind of object, and 70 MiB: more than the whole agent. None
of them is needed to read two answers. Knows nothing of pods.
"""

import importlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from shipper import __version__

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_PACKAGE: Final = "kubernetes_asyncio"


@contextmanager
def _bare_packages() -> Iterator[ModuleType]:
    """The package's own `__init__` modules, which import all there is, replaced by empty ones; gone afterwards."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{_PACKAGE} is not installed", name=_PACKAGE)
    root = list(spec.submodule_search_locations)
    before = {name: module for name, module in sys.modules.items() if _is_part(name)}
    _forget()
    try:
        for name in ("", ".client", ".client.models"):
            module = ModuleType(_PACKAGE + name)
            module.__path__ = [os.path.join(path, *name.split(".")[1:]) for path in root]  # noqa: PTH118  # as Python has it
            sys.modules[_PACKAGE + name] = module
        yield sys.modules[f"{_PACKAGE}.client"]
    finally:
        _forget()  # whoever else wants the package gets the whole of it
        sys.modules.update(before)


def _is_part(name: str) -> bool:
    return name == _PACKAGE or name.startswith(f"{_PACKAGE}.")


def _forget() -> None:
    for name in filter(_is_part, list(sys.modules)):
        del sys.modules[name]


def _load() -> tuple[Any, Any]:
    """The package's `client` and `config`; of the first no more than `Configuration` and `ApiClient`."""
    try:
        with _bare_packages() as client:
            client.Configuration = importlib.import_module(f"{_PACKAGE}.client.configuration").Configuration  # type: ignore[attr-defined]
            client.ApiClient = importlib.import_module(f"{_PACKAGE}.client.api_client").ApiClient  # type: ignore[attr-defined]
            return client, importlib.import_module(f"{_PACKAGE}.config")
    except (ImportError, AttributeError):  # another version, laid out in another way: then all of it
        return importlib.import_module(f"{_PACKAGE}.client"), importlib.import_module(f"{_PACKAGE}.config")


_client, _config = _load()


class NotConfigured(Exception):
    """Nothing says where the API is, or as whom to ask; or what says so cannot be read."""


@asynccontextmanager
async def connected() -> AsyncIterator["ApiClient"]:
    """The API as this process may reach it: by its service account in a pod, else by the kubeconfig of its user.

    Address, authorities and credentials are read anew each time; a service account's token also each minute. Raises
    NotConfigured.
    """
    async with await _client_of_now() as api:
        yield api


async def _client_of_now() -> "ApiClient":
    configuration = _client.Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            _config.load_incluster_config(client_configuration=configuration)
        else:
            await _config.load_kube_config(os.environ.get("KUBECONFIG") or None, client_configuration=configuration)
        api: ApiClient = _client.ApiClient(configuration)  # reads certificates
        api.user_agent = f"mtls-shipper/{__version__}"
    except Exception as error:  # files of any shape, and whatever program they name for a token
        raise NotConfigured(f"{type(error).__name__}: {error}") from error
    return api
