"""A slice of the mutation suite; the whole of it runs with the evidence."""

from tests.certificates.mutations import run


def test_no_broken_certificate_is_accepted():
    tally = {}
    run(range(10), tally)
    assert tally["cases"] > 370
    assert not tally.get("false")
    assert not tally.get("honest refused")
    assert tally["repaired"] >= 10
