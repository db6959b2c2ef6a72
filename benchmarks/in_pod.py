"""`python -m benchmarks.in_pod DIRECTORY ARGUMENTS`: the agent, its service account in a directory of ours."""

import sys
from pathlib import Path
from unittest import mock

from shipper.cli import main
from shipper.kubernetes import client

if __name__ == "__main__":
    # Nothing that a user can set says where the kubelet mounts it.
    with mock.patch.object(client, "SERVICE_ACCOUNT", Path(sys.argv[1])):
        sys.exit(main(sys.argv[2:]))
