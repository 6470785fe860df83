"""Filters: eigenvalues against sixty digits, orthonormality, the disk cache; features against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from sysid.spectral import filters as filters_module
from sysid.spectral._cache import cache_folder
from sysid.spectral.features import FeatureStream, spectral_features
from sysid.spectral.filters import FilterBank, hankel_matrix, spectral_filters
from tests.reference.hankel_eigenvalues import EIGENVALUES


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYSID_CACHE_DIR", str(tmp_path))
    filters_module._bank.cache_clear()
    yield
    filters_module._bank.cache_clear()


@pytest.mark.parametrize("kind, size", list(EIGENVALUES))
def test_small_eigenvalues_agree_with_sixty_digits(kind, size):
    bank = spectral_filters(size, 40, kind)
    assert np.abs(bank.eigenvalues / np.array(EIGENVALUES[kind, size]) - 1).max() < 1e-12


def test_dense_double_precision_eigenvalues_do_not():
    exact = EIGENVALUES["standard", 64][23]
    dense = np.sort(np.linalg.eigvalsh(hankel_matrix(64)))[::-1][23]
    assert abs(dense / exact - 1) > 100


@pytest.mark.parametrize("kind", ["standard", "alternating"])
@pytest.mark.parametrize("size, count", [(1, 1), (2, 2), (3, 2), (5, 5), (64, 64), (300, 30), (1500, 24)])
def test_filters_are_orthonormal_eigenvectors(kind, size, count):
    bank = spectral_filters(size, count, kind)
    F, s = bank.filters, bank.eigenvalues
    assert (np.diff(s) <= 0).all()
    assert np.abs(F @ F.T - np.eye(count)).max() < 1e-13
    assert np.abs(F @ hankel_matrix(size, kind) - s[:, None] * F).max() < 1e-12


def test_eigenvectors_of_tiny_eigenvalues_are_accurate_too():
    """A filter is smooth with k - 1 sign changes (total positivity), which rounding noise would not be."""
    bank = spectral_filters(256, 30)
    for k, row in enumerate(bank.filters):
        assert np.count_nonzero(np.diff(np.sign(row))) == k


def test_hankel_entries_are_the_moments_of_mu():
    from numpy.polynomial.legendre import leggauss
    a, w = leggauss(60)
    powers = a[:, None] ** np.arange(20)
    assert np.allclose(np.einsum("q,qi,qj->ij", w * (1 - a**2) ** 2, powers, powers), hankel_matrix(20, "alternating"), atol=1e-14)
    a, w = (a + 1) / 2, w / 2
    powers = a[:, None] ** np.arange(20)
    assert np.allclose(np.einsum("q,qi,qj->ij", w * (1 - a) ** 2, powers, powers), hankel_matrix(20), atol=1e-14)


def test_spectrum_decays_as_tabulated():
    s = spectral_filters(1024, 24).eigenvalues
    assert s[7] == pytest.approx(2.45e-6, rel=0.01) and s[15] == pytest.approx(1.99e-10, rel=0.01)
    assert s[23] == pytest.approx(3.86e-15, rel=0.01)
    a = spectral_filters(1024, 32, "alternating").eigenvalues
    assert a[[7, 15, 23, 31]] == pytest.approx([3.4e-4, 1.8e-6, 1.1e-8, 3.9e-11], rel=0.05)
    assert s[0] == pytest.approx(0.3603933421, abs=1e-9)
    for size in (64, 256, 1024, 2048):  # Lemma A.4 with constant one
        k = np.arange(1, 25)
        assert (spectral_filters(size, 24).eigenvalues <= np.exp(-(np.pi**2 / 4) * k / np.log(size))).all()
    assert spectral_filters(2048, 40).eigenvalues.sum() == pytest.approx(2 * np.log(2) - 1, abs=1e-6)


def test_filters_are_read_from_the_cache_and_a_damaged_file_is_computed_again(monkeypatch):
    first = spectral_filters(100, 8)
    path, = cache_folder().glob("*.npz")
    calls = []
    compute = filters_module._compute
    monkeypatch.setattr(filters_module, "_compute", lambda *a: calls.append(a) or compute(*a))
    filters_module._bank.cache_clear()
    assert np.array_equal(spectral_filters(100, 8).filters, first.filters) and not calls
    for damage in (b"", b"not a zip", path.read_bytes()[:-40]):
        path.write_bytes(damage)
        filters_module._bank.cache_clear()
        assert np.array_equal(spectral_filters(100, 8).filters, first.filters)
    assert len(calls) == 3 and not list(cache_folder().glob("*.part"))


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("SYSID_CACHE_DIR", str(blocked / "below"))
    assert spectral_filters(20, 3).n_filters == 3


@pytest.mark.parametrize("n_steps, n_inputs", [(1, 1), (3, 2), (49, 1), (50, 3), (51, 1), (1000, 2)])
def test_features_by_fft_and_by_stream_are_the_definition(n_steps, n_inputs):
    bank, u = spectral_filters(50, 7), np.random.default_rng(0).normal(size=(n_steps, n_inputs))
    plus, minus = spectral_features(bank, u), spectral_features(bank, u, negative=True)
    signs = (-1.0) ** np.arange(50)
    for i in range(n_inputs):
        for k in (0, 6):
            assert np.allclose(plus[:, k, i], np.convolve(u[:, i], bank.filters[k])[:n_steps], atol=1e-13)
            assert np.allclose(minus[:, k, i], np.convolve(u[:, i], signs * bank.filters[k])[:n_steps], atol=1e-13)
    stream = FeatureStream(bank, n_inputs)
    for t in range(n_steps):
        now_plus, now_minus = stream.step(u[t])
        assert np.allclose(now_plus, plus[t], atol=1e-13) and np.allclose(now_minus, minus[t], atol=1e-13)


def test_a_shift_delays_the_features():
    bank, u = spectral_filters(30, 4), np.random.default_rng(1).normal(size=(100, 1))
    assert np.allclose(spectral_features(bank, u, shift=2)[2:], spectral_features(bank, u)[:-2], atol=1e-13)
    assert not spectral_features(bank, u, shift=2)[:2].any()
    assert not spectral_features(bank, u[:2], shift=2).any()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"n_filters <= n_steps = 10; received 11"):
        spectral_filters(10, 11)
    with pytest.raises(TypeError, match="whole number"):
        spectral_filters(10.0, 2)
    with pytest.raises(ValueError, match="standard, alternating"):
        spectral_filters(10, 2, kind="odd")
    with pytest.raises(TypeError, match="complex"):
        spectral_features(spectral_filters(10, 2), np.ones(5) * 1j)
    with pytest.raises(ValueError, match="positive eigenvalues"):
        FilterBank(np.array([1.0, -1e-18]), np.eye(2))
    with pytest.raises(ValueError, match="n_filters <= 2"):
        spectral_filters(10, 2).truncate(3)
