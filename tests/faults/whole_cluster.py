"""The same world with an API server in it, and the agent in a pod of its cluster: for the model of pod labels."""

import os
from dataclasses import replace
from functools import partial
from unittest import mock

import trustme

from lab.kubernetes import ApiServer
from lab.pods import Pod
from lab.service_account import ServiceAccount, environment
from shipper.kubernetes.client import by_service_account
from tests.faults.whole_agent import TIMING, World
from tests.kubernetes.watching import FAST

NODE = "node-1"
SCRAPE = ", kubernetes: true, pod_labels: {team: team}"
AUTHORITY = trustme.CA()

# Short waits: only their order matters.
SMALL = replace(FAST, response=0.2, list_silence=0.1, list=0.3, watch_silence=0.3, pod_wait=0.2, catch_up=0.01)


class Cluster(World):
    """A world with an API server that knows its pods."""

    def __init__(self, scrape: str = SCRAPE) -> None:
        """`scrape` is added to that section."""
        seldom_saved = replace(TIMING, save_after_settling=10.0, save_after_reading=10.0)  # only when they must be
        super().__init__(scrape=scrape, timing=seldom_saved)
        self._account = ServiceAccount(self._directory, "a token", AUTHORITY)
        self._api = {"connect": partial(by_service_account, self._directory), "api_timing": SMALL}
        self.api = ApiServer(context=self._account.context(), tokens={"a token"})
        self._runner.run(self.api.__aenter__())
        variables = {"NODE_NAME": NODE, **environment(self.api.address)}
        self._stack.enter_context(mock.patch.dict(os.environ, variables))

    def close(self) -> None:
        """Take everything down."""
        if self._task is not None:
            self.crash()
        self._runner.run(self.api.__aexit__(None, None, None))
        super().close()

    def mount(self, token: str) -> None:
        """The kubelet writes this token, and the server accepts no other."""
        self._account.renew(token)
        self.api.tokens = {token}

    def revoke(self) -> None:
        """The server accepts no token any more; the file still has the old one."""
        self.api.tokens = set()

    def kill_api(self) -> None:
        """The server goes away, and its connections break."""
        self._runner.run(self.api.kill())

    def start_api(self) -> None:
        """The server is there again."""
        if not self.api.is_listening:
            self._runner.run(self.api.listen())

    def knows(self, pod: Pod) -> bool:
        """Whether the agent knows this pod."""
        assert self._agent
        return bool(self._agent.pods.ask(f"{pod.namespace}_{pod.name}_{pod.uid}/of-the-model"))

    @property
    def is_current(self) -> bool:
        """Whether the agent knows the pods as they are now."""
        assert self._agent
        return self._agent.workloads is not None and self._agent.workloads.is_current

    def label_sets(self, pod: str) -> set[tuple[tuple[str, str], ...]]:
        """The label sets under which Loki has lines of this pod."""
        return {tuple(sorted(one.labels.items())) for one in self.loki.stored() if one.labels["pod"] == pod}
