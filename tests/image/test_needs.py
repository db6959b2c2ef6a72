"""One line says what the machine lacks, and Debian's mirror is taken from apt."""

from image.needs import PACKAGES, debian, lack, mirror

TARGETS = """\
|Some vendor|https://packages.example.com/apt
Debian|Debian-Security|http://mirror.example.com/debian-security
Debian|Debian|http://mirror.example.com/debian
Debian|Debian|http://other.example.com/debian
"""


def test_packages_that_are_missing_are_named_in_the_command_that_installs_them() -> None:
    assert lack(0, {"buildah"}).endswith("apt-get install --no-install-recommends debootstrap runc")


def test_an_ordinary_user_is_told_that_it_takes_root() -> None:
    assert "root" in lack(1000, set())
    assert lack(0, set(PACKAGES)) == ""


def test_the_mirror_is_debians_own_and_not_that_of_another_vendor_or_of_security_updates() -> None:
    assert debian(TARGETS) == "http://mirror.example.com/debian"
    assert debian(TARGETS.partition("Debian|Debian|")[0]) == ""


def test_a_mirror_that_is_named_wins() -> None:
    assert mirror({"DEBIAN_MIRROR": "http://named.example.com/debian"}) == "http://named.example.com/debian"
