"""The same world with an API server in it, whose service account the agent has: for the model of pod labels."""

import contextlib
import os
import ssl
from collections.abc import Iterator
from unittest import mock

import trustme

from lab.kubernetes import ApiServer
from lab.pods import Pod
from shipper.source.kubernetes import client, pod_watch, pods
from shipper.source.positions import saver
from tests.faults.whole_agent import World

NODE = "node-1"
SCRAPE = ", kubernetes: true, pod_labels: {team: team}"
AUTHORITY = trustme.CA()


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """The waits for the API in small: what matters is their order. Positions are saved only when they must be."""
    with contextlib.ExitStack() as stack:
        for module, name, seconds in (
            (pod_watch, "START", 0.0),
            (pod_watch, "AGAIN", (0.0, 0.01)),
            (pod_watch, "FIRST_WAIT", 0.005),
            (pod_watch, "LONGEST_WAIT", 0.02),
            (pod_watch, "LONGEST_SEARCH", 0.02),
            (pod_watch, "ANSWER", 0.2),
            (pod_watch, "LIST_SILENCE", 0.1),
            (pod_watch, "LIST", 0.3),
            (pod_watch, "WATCH_SILENCE", 0.3),
            (pod_watch, "GATHER", 0.002),
            (pods, "WAIT", 0.2),
            (saver, "AFTER_ACK", 10.0),
            (saver, "AFTER_READING", 10.0),
        ):
            stack.enter_context(mock.patch.object(module, name, seconds))
        yield


class Cluster(World):
    """A world whose pods are known to an API server, for better or worse."""

    def __init__(self) -> None:
        super().__init__(scrape=SCRAPE)
        self._stack.enter_context(hurried())
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
        self.api = ApiServer(context=context, tokens=set())
        self._runner.run(self.api.__aenter__())
        host, port = self.api.address
        environment = {"NODE_NAME": NODE, "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        self._stack.enter_context(mock.patch.dict(os.environ, environment))
        mounted = client._config.incluster_config
        for name, path in (
            ("SERVICE_TOKEN_FILENAME", self._directory / "token"),
            ("SERVICE_CERT_FILENAME", self._directory / "ca.crt"),
        ):
            self._stack.enter_context(mock.patch.object(mounted, name, str(path)))
        (self._directory / "ca.crt").write_bytes(AUTHORITY.cert_pem.bytes())
        self.mount("a token")

    def close(self) -> None:
        """Take everything down."""
        if self._task is not None:
            self.crash()
        self._runner.run(self.api.__aexit__(None, None, None))
        super().close()

    def mount(self, token: str) -> None:
        """From now on only this token is taken; the kubelet has written it."""
        (self._directory / "token").write_text(token)
        self.api.tokens = {token}

    def revoke(self) -> None:
        """No token is taken any more, and the file still has the old one."""
        self.api.tokens = set()

    def kill_api(self) -> None:
        """It is gone, and so are its connections."""
        self._runner.run(self.api.kill())

    def start_api(self) -> None:
        """It is there again."""
        if not self.api.is_listening:
            self._runner.run(self.api.listen())

    def knows(self, pod: Pod) -> bool:
        """Whether the agent has heard of it."""
        assert self._agent
        return f"{pod.namespace}_{pod.name}_{pod.uid}" in self._agent._pods._known

    def label_sets(self, pod: str) -> set[tuple[tuple[str, str], ...]]:
        """All that Loki has lines of this pod under."""
        return {tuple(sorted(one.labels.items())) for one in self.loki.stored() if one.labels["pod"] == pod}
