"""The public surface: every listed name exists, and the stub says the same."""

import pytest

import sysid
from tests.house import stub


@pytest.mark.parametrize("name", sysid.__all__)
def test_every_listed_name_can_be_imported(name):
    assert getattr(sysid, name) is not None and name in dir(sysid)


def test_the_stub_repeats_the_list():
    assert stub.PATH.read_text() == stub.text(), "run `python -m tests.house.stub`"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Kalmann'"):
        sysid.Kalmann
