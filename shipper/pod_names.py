"""The app of a pod: its name without what Kubernetes has generated.

The name alone does not always tell. `shard-3-x2x7k` is read as index 3 of the indexed Job `shard`, and can be a pod of
the DaemonSet or Job `shard-3`; `web-1` is read as a pod of the StatefulSet `web`, and someone may have named it so.
With `kubernetes: true` the API is asked instead.

Facts: pod names are `<generateName><suffix>`, cut to 58 and 5 characters; suffixes and template hashes are made of 27
letters and digits, without vowels (k8s.io/apimachinery/pkg/util/rand, apiserver/pkg/storage/names).
"""

import re
from typing import Final

_LETTER: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_SUFFIX: Final = rf"-{_LETTER}{{5}}"
_CRON: Final = r"-\d{8,10}"  # the scheduled minute; before 1.21 the second

# A search that is anchored at the end finds the longest of these.
_GENERATED: Final = re.compile(
    rf"(?<=.)(?:{_CRON}-\d+{_SUFFIX}"  # indexed Job of a CronJob
    rf"|-{_LETTER}{{7,10}}{_SUFFIX}"  # Deployment: template hash and suffix
    rf"|{_CRON}{_SUFFIX}"  # CronJob
    rf"|-\d+{_SUFFIX}"  # indexed Job
    rf"|{_SUFFIX}"  # DaemonSet, Job
    r"|-\d+)\Z"  # StatefulSet
)
_LONGEST: Final = 63  # characters of a generated name: where it is cut, the suffix has no dash
_CUT: Final = re.compile(rf"(?<=.)(?:-(?:[456789bcdf]{{1,10}}|\d{{1,10}}))?-?{_LETTER}{{5}}\Z")


def app_of(pod: str) -> str:
    """The pod's name without what Kubernetes generated: `checkout-7d4b9c6f5d-x2x7k` is of `checkout`."""
    found = _GENERATED.search(pod)
    if found is None and len(pod) == _LONGEST:
        found = _CUT.search(pod)
    return pod[: found.start()] if found else pod
