import numpy as np
import pytest
from scipy import sparse as sp

from sysid import reservoirs
from sysid.linear.spectrum import spectral_norm, spectral_radius
from sysid.models.topology import TOPOLOGIES, build


def radius(W):
    return np.abs(np.linalg.eigvals(W.toarray() if hasattr(W, "toarray") else W)).max()


@pytest.mark.parametrize("name", sorted(TOPOLOGIES))
def test_every_topology_has_the_spectral_radius_asked_for(name):
    W = build(name, 60, spectral_radius=0.83, rng=np.random.default_rng(1))
    assert W.shape == (60, 60)
    assert abs(radius(W) - 0.83) < 1e-10


def test_the_same_generator_gives_the_same_matrix():
    for make in (reservoirs.gaussian, reservoirs.sparse, reservoirs.orthogonal, reservoirs.permutation):
        a, b = (make(30, rng=np.random.default_rng(5)) for _ in range(2))
        assert np.array_equal(a.toarray() if sp.issparse(a) else a, b.toarray() if sp.issparse(b) else b)


def test_sparse_has_exactly_the_edges_asked_for_and_stays_sparse():
    W = reservoirs.sparse(200, density=0.05, rng=np.random.default_rng(0))
    assert sp.issparse(W) and W.nnz == 2000
    big = reservoirs.sparse(20_000, density=2e-4, spectral_radius=None, rng=np.random.default_rng(0))
    assert big.nnz == 80_000


def test_sparse_radius_by_products_equals_the_dense_one():
    W = reservoirs.sparse(800, density=0.02, spectral_radius=None, rng=np.random.default_rng(3))
    assert spectral_radius(W) == pytest.approx(radius(W), rel=1e-8)
    assert spectral_norm(W) == pytest.approx(np.linalg.norm(W.toarray(), 2), rel=1e-8)


def test_orthogonal_and_permutation_are_orthogonal():
    for W in (reservoirs.orthogonal(40, rng=np.random.default_rng(0)),
              reservoirs.permutation(40, rng=np.random.default_rng(0)).toarray()):
        assert np.abs(W.T @ W - np.eye(40)).max() < 1e-13


def test_cycle_with_jumps_joins_both_ways():
    W = reservoirs.cycle(12, jump=4, spectral_radius=0.9).toarray()
    assert radius(W) == pytest.approx(0.9)
    assert W[4, 0] == W[0, 4] != 0
    pure = reservoirs.cycle(12, spectral_radius=0.9).toarray()
    assert np.abs(np.abs(np.linalg.eigvals(pure)) - 0.9).max() < 1e-12


def test_normal_has_the_placed_poles_and_commutes_with_its_transpose():
    poles = np.array([0.95, -0.3, 0.5 + 0.6j, 0.5 - 0.6j, 0.2 - 0.1j, 0.2 + 0.1j])
    for rng in (None, np.random.default_rng(2)):
        W = reservoirs.normal(poles=poles, rng=rng)
        W = W.toarray() if sp.issparse(W) else W
        assert np.abs(np.sort_complex(np.linalg.eigvals(W)) - np.sort_complex(poles)).max() < 1e-12
        assert np.abs(W @ W.T - W.T @ W).max() < 1e-13
        assert np.linalg.norm(W, 2) == pytest.approx(0.95)


def test_orthogonal_times_radii_is_not_normal_and_misses_its_radii():
    # corrections #11: the construction printed in the paper.
    Q, r = reservoirs.orthogonal(8, rng=np.random.default_rng(0)), np.linspace(0.3, 0.95, 8)
    W = Q * r
    assert np.linalg.norm(W @ W.T - W.T @ W) > 0.1
    assert np.abs(np.sort(np.abs(np.linalg.eigvals(W))) - r).max() > 0.05


def test_circulant_product_equals_the_dense_matrix():
    rng = np.random.default_rng(4)
    for n in (7, 8, 50):
        W = reservoirs.circulant(n, rng=rng)
        D, v, V = W.toarray(), rng.standard_normal(n), rng.standard_normal((n, 3))
        assert np.abs(W @ v - D @ v).max() < 1e-13 and np.abs(W @ V - D @ V).max() < 1e-13
        assert np.abs(W.T @ v - D.T @ v).max() < 1e-13
        gap = np.abs(W.eigenvalues()[:, None] - np.linalg.eigvals(D)[None]).min(axis=1)
        assert gap.max() < 1e-10


@pytest.mark.parametrize("poles", [
    [0.9, -0.8, 0.5 + 0.3j, 0.5 - 0.3j], [0.9, 0.1j, -0.1j], [0.7, 0.7, 0.2, 0.2, 0.9], [0.5, 0.5, 0.3, 0.1],
    [0.4, 0.4, 0.6j, -0.6j]])
def test_circulant_takes_placed_poles(poles):
    W = reservoirs.circulant(poles=poles)
    found, wanted = (np.sort_complex(np.round(v, 10)) for v in (W.eigenvalues(), poles))
    assert np.abs(found - wanted).max() < 1e-9


def test_bad_topologies_are_refused_with_the_reason():
    rng = np.random.default_rng(0)
    from sysid.linear.spectrum import scale_to_radius
    with pytest.raises(ValueError, match="zero or nilpotent"):
        scale_to_radius(np.zeros((4, 4)), 0.9, "test")
    with pytest.raises(ValueError, match="zero or nilpotent"):
        scale_to_radius(np.triu(np.ones((30, 30)), 1), 0.9, "test")
    V = rng.standard_normal((5, 5))
    with pytest.raises(ValueError, match="zero or nilpotent"):
        scale_to_radius(V @ np.triu(np.ones((5, 5)), 1) @ np.linalg.inv(V), 0.9, "test")
    with pytest.raises(ValueError, match="at least one edge"):
        reservoirs.sparse(10, density=1e-4, rng=rng)
    with pytest.raises(ValueError, match="density in"):
        reservoirs.sparse(10, density=0.0, rng=rng)
    with pytest.raises(ValueError, match="conjugation"):
        reservoirs.normal(poles=[0.5 + 0.1j, 0.3])
    with pytest.raises(ValueError, match="unpaired real"):
        reservoirs.circulant(poles=[0.9, 0.8, 0.7])
    with pytest.raises(TypeError, match="rng"):
        reservoirs.gaussian(10, rng=0)
    with pytest.raises(ValueError, match="topology"):
        build("small_world", 10, spectral_radius=0.9, rng=rng)
    with pytest.raises(ValueError, match="density = 1"):
        build("cycle", 10, spectral_radius=0.9, density=0.5, rng=rng)
