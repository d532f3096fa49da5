import importlib.util
import sys

import pytest

from munit_jax.errors import UserError
from munit_jax.heliosphere.choices import check_installed


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    with pytest.raises(UserError, match=r"needs HUXt, which needs Python 3\.12\.11 or newer: this is 3\.12\.1"):
        check_installed()


def test_the_extra_is_named_where_huxt_is_missing(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 11))
    monkeypatch.setattr("munit_jax.heliosphere.choices.find_spec", lambda _: importlib.util.find_spec("os"))
    check_installed()
    monkeypatch.setattr("munit_jax.heliosphere.choices.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"needs HUXt: install munit_jax\[heliosphere\]"):
        check_installed()
