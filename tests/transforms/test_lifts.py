"""Linear, bilinear, Carleman and random-feature surrogates of a reservoir against the map itself."""

import numpy as np
import pytest

import sysid
from sysid.transforms.structure import diagonal_form, diagonal_plus_low_rank


def network(n=6, m=1, seed=0, activation="tanh", bias=0.2, leak=0.6):
    rng = np.random.default_rng(seed)
    return sysid.ESN(0.8 * sysid.reservoirs.orthogonal(n, rng=rng), rng.standard_normal((n, m)),
                     bias * rng.standard_normal(n), leak, C=np.eye(n), activation=activation)


def step(esn, x, u):
    v = x @ esn.W.T + u @ esn.W_in.T + esn.bias
    return (1 - esn.leak) * x + esn.leak * esn.act.function(v)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "identity"])
def test_linearisation_errs_below_its_bound_and_quadratically(activation):
    esn, rng = network(activation=activation), np.random.default_rng(1)
    u0 = np.array([0.3])
    x0 = esn.equilibrium(u0)
    lti = sysid.linearize(esn, u=u0)
    direction, du = rng.standard_normal((2000, 6)), rng.standard_normal((2000, 1))
    size = rng.uniform(0, 2, (2000, 1))
    x, u = x0 + size * direction, u0 + size * du
    error = np.linalg.norm(step(esn, x, u) - x @ lti.A.T - u @ lti.B.T - lti.c, axis=1)
    assert (error <= sysid.remainder_bound(esn, x, u, x0=x0, u0=u0) + 1e-13).all()
    if activation == "identity":
        assert error.max() < 1e-13
        return
    errors = [np.linalg.norm(step(esn, x0 + h * direction, u0 + h * du) - (x0 + h * direction) @ lti.A.T
                             - (u0 + h * du) @ lti.B.T - lti.c) for h in (1e-3, 1e-4)]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.02)


def test_inside_the_tube_one_step_errs_below_the_tolerance():
    esn, rng = network(), np.random.default_rng(2)
    r = sysid.validity_radius(esn, 0.01)
    x0 = esn.equilibrium()
    lti = sysid.linearize(esn, u=np.zeros(1))
    dx = rng.standard_normal((500, 6))
    dx *= r / np.linalg.norm(dx @ esn.W.T, axis=1, keepdims=True)
    x = x0 + dx
    assert np.linalg.norm(step(esn, x, np.zeros((500, 1))) - x @ lti.A.T - lti.c, axis=1).max() <= 0.01


def test_bilinear_surrogate_has_the_analytic_cross_terms_and_drops_squares():
    esn, rng = network(m=2), np.random.default_rng(3)
    x0, u0 = rng.standard_normal(6), rng.standard_normal(2)
    bil = sysid.linearize(esn, x=x0, u=u0, order="bilinear")
    xi = esn.W @ x0 + esn.W_in @ u0 + esn.bias
    second = -2 * np.tanh(xi) * (1 - np.tanh(xi) ** 2)
    for i in range(2):
        assert np.abs(bil.N[i] - esn.leak * (second * esn.W_in[:, i])[:, None] * esn.W).max() < 1e-8
    dx, du = rng.standard_normal(6), rng.standard_normal(2)

    def surrogate(h, g):
        x, u = x0 + h * dx, u0 + g * du
        return bil.A @ x + bil.B @ u + np.einsum("i,iab,b->a", u, bil.N, x) + bil.c

    def error(h, g):
        return np.linalg.norm(step(esn, x0 + h * dx, u0 + g * du) - surrogate(h, g))

    # corrections #32: alone in x or in u the error stays quadratic; a second-order model would be cubic.
    assert error(1e-3, 0) / error(1e-4, 0) == pytest.approx(100, rel=0.05)
    assert error(0, 1e-3) / error(0, 1e-4) == pytest.approx(100, rel=0.05)
    both = [step(esn, x0 + h * dx, u0 + h * du) - step(esn, x0 + h * dx, u0) - step(esn, x0, u0 + h * du) + step(esn, x0, u0)
            - h * h * np.einsum("i,iab,b->a", du, bil.N, dx) for h in (1e-2, 1e-3)]
    assert np.linalg.norm(both[0]) / np.linalg.norm(both[1]) == pytest.approx(1000, rel=0.1)


def test_identity_activation_makes_every_mapping_the_exact_linear_model():
    esn, rng = network(activation="identity", n=4), np.random.default_rng(4)
    u = rng.standard_normal((80, 1))
    x = sysid.simulate(esn, u).x
    truth = sysid.LTI(0.4 * np.eye(4) + 0.6 * esn.W, 0.6 * esn.W_in, np.eye(4), c=0.6 * esn.bias)
    bil = sysid.linearize(esn, x=rng.standard_normal(4), u=rng.standard_normal(1), order="bilinear")
    assert np.abs(bil.N).max() < 1e-10
    for model in (sysid.linearize(esn, u=np.ones(1)), bil.linear):
        assert np.abs(model.A - truth.A).max() < 1e-9 and np.abs(model.c - truth.c).max() < 1e-9
    for degree in (1, 2, 3):
        lift = sysid.lift(esn, sysid.Carleman(degree), u=np.zeros(1))
        y = sysid.simulate(lift.lti, u, lift.start(x[0])).y
        assert np.abs(lift.lti.A[:4, :4] - truth.A).max() < 1e-12
        assert degree > 1 or np.abs(y - x).max() < 1e-12
    assert sysid.lift(esn, sysid.Carleman(1), u=np.zeros(1)).residual_bound(10.0) == 0.0
    fit = sysid.fit(sysid.Data(x, u), sysid.EDMD(sysid.Polynomial(1)))
    assert np.abs(fit.model.lti.A - truth.A).max() < 1e-9
    assert np.abs(sysid.simulate(fit.model, u, fit.model.start(x[0])).y - x).max() < 1e-9


def test_carleman_matches_the_taylor_series_of_one_unit():
    esn = sysid.ESN([[0.9]], bias=[0.3], leak=0.5, C=[[1.0]])
    x0 = esn.equilibrium(np.zeros(0))
    for degree in (2, 3, 5):
        lift = sysid.lift(esn, sysid.Carleman(degree))
        for h in (1e-2, -2e-2):
            x = x0 + h
            image = lift.lti.A @ lift.start(x) + lift.lti.c
            exact = (step(esn, x[None], np.zeros((1, 0)))[0] - x0)[0] ** np.arange(1, degree + 1)
            assert np.abs(image - exact).max() < 20 * abs(h) ** (degree + 1)


def test_a_carleman_lift_takes_a_high_degree_and_no_inputs():
    esn = sysid.ESN([[0.9]], bias=[0.3], leak=0.5, C=[[1.0]])
    lift, low = (sysid.lift(esn, sysid.Carleman(degree)) for degree in (62, 5))  # more terms than the bound keeps by default
    assert lift.n_states == 62 and np.abs(lift.lti.A[:5, :5] - low.lti.A).max() < 1e-13
    bilinear = sysid.lift(network(m=0, n=3), sysid.Carleman(2, "bilinear"))
    assert np.array_equal(bilinear.lti.A, sysid.lift(network(m=0, n=3), sysid.Carleman(2)).lti.A)
    with pytest.raises(ValueError, match="radius >= 0"):
        lift.residual_bound(-0.1)


@pytest.mark.parametrize("given", ["centers", "weights", "period", "delays", "center"])
def test_a_dictionary_takes_what_the_user_gives(given):
    x = np.random.default_rng(0).standard_normal((50, 2))
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    if given == "centers":
        ready = sysid.RadialBasis(centers=points).prepare(x)
        assert ready.width == 3.0  # the median of 1, 3 and sqrt(10)
        assert np.allclose(ready(points)[:, 2:], np.exp(-np.linalg.norm(points[:, None] - points, axis=2) ** 2 / 18))
    elif given == "weights":
        ready = sysid.RandomFourier(weights=points.T, phases=np.zeros(3)).prepare(x)
        assert np.allclose(ready(x)[:, 2:], np.sqrt(2 / 3) * np.cos(x @ points.T))
    elif given == "period":
        assert np.allclose(sysid.Fourier(1, [1.0, 2.0]).prepare(x)(x)[:, 2], np.sin(2 * np.pi * x[:, 0]))
    elif given == "delays":
        assert np.array_equal(sysid.DelayEmbedding(0).prepare(x)(x), x)
    else:
        assert np.allclose(sysid.Polynomial(1, [1.0, 2.0]).prepare(x)(x), x - [1.0, 2.0])


def test_dictionaries_drawn_from_states_that_never_move_are_finite():
    x = np.ones((30, 2))
    for dictionary in (sysid.RadialBasis(4, rng=np.random.default_rng(0)), sysid.RandomFourier(4, rng=np.random.default_rng(0))):
        assert np.isfinite(dictionary.prepare(x)(x)).all()


@pytest.mark.parametrize("make, words", [
    (lambda x: sysid.RandomFourier(weights=np.ones((2, 3))), "weights and phases together"),
    (lambda x: sysid.RadialBasis(centers=np.ones((4, 3))).prepare(x), r"centers with shape \(any, 2\)"),
    (lambda x: sysid.Fourier(2, 0.0), "period > 0"),
    (lambda x: sysid.Fourier(2, [1.0, 2.0, 3.0]).prepare(x), "one period, or 2 for the states"),
    (lambda x: sysid.Polynomial(2, [0.0]).prepare(x), "center with shape"),
    (lambda x: sysid.Preactivation(network(n=3)).prepare(x), "the 3 states of its reservoir; received 2"),
    (lambda x: sysid.DelayEmbedding(2, inner=3), "inner as a dictionary"),
    (lambda x: sysid.Union((3,)).prepare(x), "dictionaries such as"),
    (lambda x: sysid.Observables(lambda x: x * np.nan).prepare(x), r"function\(x\) without NaN")])
def test_what_a_dictionary_cannot_take_is_named(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make(np.random.default_rng(0).standard_normal((20, 2)))


def test_random_features_of_a_straight_line_are_that_line():
    lift = sysid.lift(network(activation="identity"), sysid.RandomFeatures(10, np.random.default_rng(0), weights="monte_carlo"))
    assert lift.error == 0.0 and lift.slope == 1.0


def test_one_input_may_be_a_vector_over_time():
    esn = network(n=3)
    u = np.random.default_rng(0).standard_normal(40)
    x = sysid.simulate(esn, u).x
    lift = sysid.lift(esn, sysid.Carleman(2))
    assert np.array_equal(sysid.surrogate_error(lift, x, u).measured, sysid.surrogate_error(lift, x, u[:, None]).measured)
    x0 = esn.equilibrium()
    assert np.array_equal(sysid.remainder_bound(esn, x, u, x0=x0), sysid.remainder_bound(esn, x, u[:, None], x0=x0))
    assert np.array_equal(sysid.linearize(esn, x=x, u=u).B, sysid.linearize(esn, x=x, u=u[:, None]).B)


def test_the_bound_of_a_bilinear_surrogate_with_one_input_is_that_over_all_inputs_met():
    esn = network(n=3)
    u = np.random.default_rng(0).standard_normal((60, 1))
    core = sysid.lift(esn, sysid.Carleman(2, "bilinear")).core
    from sysid.transforms.lift import _growth
    largest = max(np.linalg.norm(core.A + v * core.N[0], 2) for v in u[:, 0])
    assert _growth(core, core.C, u, 3)[2] == pytest.approx(np.linalg.norm(core.C, 2) * largest**2, rel=1e-12)


@pytest.mark.parametrize("arguments, words", [
    (lambda lift, x, u: (lift, x, u[:20]), "as many samples as x, 40; received 20"),
    (lambda lift, x, u: (lift, x, np.vstack([u, u])), "as many samples as x, 40; received 80"),
    (lambda lift, x, u: (lift, x[:, :2], u), r"x with shape \(T, 3\)"),
    (lambda lift, x, u: (lift, x, u, ()), "steps below 40"),
    (lambda lift, x, u: (network(), x, u), "expected an LTI, Bilinear or LiftedModel")])
def test_what_does_not_fit_a_surrogate_is_named(arguments, words):
    esn = network(n=3)
    u = np.random.default_rng(0).standard_normal((40, 1))
    with pytest.raises((TypeError, ValueError), match=words):
        sysid.surrogate_error(*arguments(sysid.lift(esn, sysid.Carleman(2)), sysid.simulate(esn, u).x, u))


def test_carleman_converges_with_its_degree_and_errs_below_its_bound():
    esn, rng = network(n=3, m=0, bias=0.3), np.random.default_rng(5)
    x0 = esn.equilibrium(np.zeros(0))
    radius = 0.35
    states = x0 + rng.uniform(-radius, radius, (4000, 3))
    images = step(esn, states, np.zeros((4000, 0)))
    previous = np.inf
    for degree in (1, 2, 3, 4, 5):
        lift = sysid.lift(esn, sysid.Carleman(degree))
        assert radius < lift.radius
        residual = np.linalg.norm(lift.observe(images) - lift.observe(states) @ lift.lti.A.T - lift.lti.c, axis=1).max()
        bound = lift.residual_bound(radius)
        first = np.abs(images - (lift.observe(states) @ lift.lti.A.T + lift.lti.c)[:, :3] - x0).max()
        assert residual <= bound < 50 * residual
        assert first < 0.75 * previous
        previous = first
    assert lift.residual_bound(10.0) == np.inf


def test_carleman_with_bilinear_inputs_follows_small_inputs_to_first_order():
    esn, rng = network(n=3, m=2), np.random.default_rng(6)
    u0 = np.array([0.2, -0.1])
    lift = sysid.lift(esn, sysid.Carleman(5, inputs="bilinear"), u=u0)
    x0 = esn.equilibrium(u0)
    x, du = x0 + 0.05 * rng.standard_normal(3), rng.standard_normal(2)
    errors = []
    for h in (1e-2, 1e-3):
        u = u0 + h * du
        z = lift.start(x)
        image = lift.core.A @ z + lift.core.B @ u + np.einsum("i,iab,b->a", u, lift.core.N, z) + lift.core.c
        errors.append(np.linalg.norm(image[:3] + x0 - step(esn, x[None], u[None])[0]))
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.1)


def test_random_features_fall_like_one_over_sqrt_n_when_sampled():
    esn = network()
    mean = []
    sizes = (100, 400, 1600)
    grid = np.linspace(-3, 3, 401)
    for N in sizes:
        errors = [sysid.lift(esn, sysid.RandomFeatures(N, rng=np.random.default_rng(s), weights="monte_carlo")
                             ).nonlinearity(grid) - np.tanh(grid) for s in range(24)]
        mean.append(np.sqrt(np.mean(np.square(errors))))
    slope = np.polyfit(np.log(sizes), np.log(mean), 1)[0]
    assert -0.6 < slope < -0.4
    assert sysid.lift(esn, sysid.RandomFeatures(100, rng=np.random.default_rng(0))).error < 0.1 * mean[0]


def test_composite_slope_range_is_true_and_far_below_the_product_of_norms():
    # corrections #13.
    lure = sysid.lift(network(), sysid.RandomFeatures(50, rng=np.random.default_rng(1)))
    xi = np.random.default_rng(2).uniform(-3, 3, 20000)
    low, high = lure.slope_range
    slopes = (lure.nonlinearity(xi + 1e-6) - lure.nonlinearity(xi - 1e-6)) / 2e-6
    assert low - 1e-6 <= slopes.min() and slopes.max() <= high + 1e-6
    assert high < 1.2 and lure.norm_product > 3 * high


def test_lure_form_runs_within_its_disturbance():
    esn, rng = network(), np.random.default_rng(3)
    lure = sysid.lift(esn, sysid.RandomFeatures(60, rng=rng))
    u = 0.5 * rng.standard_normal((200, 1))
    a, b = sysid.simulate(esn, u).x, sysid.simulate(lure.esn, u).x
    one = np.linalg.norm(step(esn, b[:-1], u[:-1]) - b[1:], axis=1).max()
    assert one <= lure.disturbance + 1e-12
    assert np.abs(a - b).max() < 100 * lure.disturbance


def test_predicted_error_of_a_lift_is_not_below_the_measured_one():
    esn, rng = network(n=3, m=1), np.random.default_rng(7)
    u = 0.5 * rng.standard_normal((600, 1))
    x = sysid.simulate(esn, u).x
    train, test = sysid.Data(x[:400], u[:400]), (x[400:], u[400:])
    for method in (sysid.EDMD(sysid.Polynomial(2)), sysid.EDMD(sysid.Polynomial(3)),
                   sysid.EDMD(sysid.Polynomial(2), bilinear=True), sysid.EDMD(sysid.Preactivation(esn, 3)),
                   sysid.EDMD(sysid.RandomFourier(30, rng=rng), ridge=1e-6)):
        model = sysid.fit(train, method).model
        error = sysid.surrogate_error(model, *test, steps=(1, 5, 20))
        assert (error.measured <= error.bound * (1 + 1e-9)).all()
        assert (error.typical <= error.measured).all()
    plain = sysid.surrogate_error(sysid.linearize(esn, u=np.zeros(1)), *test, steps=(1, 10))
    assert (plain.measured <= plain.bound * (1 + 1e-9)).all()


def test_modal_form_reproduces_the_kernel():
    rng = np.random.default_rng(8)
    lti = sysid.LTI(0.9 * sysid.reservoirs.orthogonal(6, rng=rng), rng.standard_normal((6, 2)), rng.standard_normal((1, 6)))
    form = diagonal_form(lti)
    assert np.abs(form.markov_parameters(40) - lti.markov_parameters(40)).max() < 1e-12
    with pytest.raises(ValueError, match="diagonalisable"):
        diagonal_form(sysid.LTI([[0.9, 1.0], [0.0, 0.9]], np.ones((2, 1)), np.ones((1, 2))))


def test_hippo_is_normal_plus_rank_one():
    n = 8
    q = np.sqrt(2 * np.arange(n) + 1)
    A = -(np.tril(np.outer(q, q), -1) + np.diag(np.arange(n) + 1.0))
    form = diagonal_plus_low_rank(A, 1)
    assert form.error < 1e-12 and np.abs(form.matrix() - A).max() < 1e-10
    assert diagonal_plus_low_rank(A, 0).error > 0.1


def test_bad_lifts_are_refused():
    esn = network()
    with pytest.raises(TypeError, match="Carleman"):
        sysid.lift(esn, "carleman")
    with pytest.raises(ValueError, match="3000 observables"):
        sysid.lift(network(n=40), sysid.Carleman(4))
    with pytest.raises(ValueError, match="analytic"):
        sysid.lift(network(activation="relu"), sysid.Carleman(2))
    with pytest.raises(ValueError, match="second derivative"):
        sysid.remainder_bound(network(activation="relu"), np.zeros(6), x0=np.zeros(6))
    with pytest.raises(ValueError, match="order"):
        sysid.linearize(esn, x=np.zeros(6), u=np.zeros(1), order="cubic")
    with pytest.raises(ValueError, match="bilinear"):
        sysid.lift(network(n=2), sysid.Carleman(2, inputs="bilinear")).lti


def test_the_shift_of_a_low_rank_form_leaves_the_least_error_of_all_shifts():
    hippo = np.array([[-1.0, 0.0], [-np.sqrt(3.0), -2.0]])  # LegS of two states: rank 1, whatever the median of two values
    assert diagonal_plus_low_rank(hippo, 1).error < 1e-15
    rng = np.random.default_rng(0)
    for rank in (0, 1, 2, 3):
        A = rng.standard_normal((5, 5))
        form = diagonal_plus_low_rank(A, rank)
        assert form.P.shape == (5, rank)
        values = np.linalg.eigvalsh((A + A.T) / 2)
        least = min(np.sort((values - s) ** 2)[: 5 - rank].sum() for s in np.linspace(values[0], values[-1], 4001))
        assert (form.error * np.linalg.norm(A)) ** 2 == pytest.approx(least, rel=1e-4)
        assert (form.error * np.linalg.norm(A)) ** 2 <= least * (1 + 1e-9)


def test_a_gated_reservoir_whose_inputs_multiply_its_states_is_not_taken_for_a_plain_one():
    gated = sysid.GatedESN.random(4, 1, rng=np.random.default_rng(0))
    for call in (lambda: sysid.lift(gated, sysid.Carleman(2)), lambda: sysid.lift(gated, sysid.RandomFeatures(5, np.random.default_rng(0))),
                 lambda: sysid.remainder_bound(gated, np.zeros(4), x0=np.zeros(4)), lambda: sysid.validity_radius(gated, 0.1)):
        with pytest.raises(TypeError, match="received GatedESN"):
            call()
