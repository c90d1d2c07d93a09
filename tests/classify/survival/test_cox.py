"""Cox's likelihood and its fit: definitions by loops, laws, Rossi's data with lifelines as an oracle, separation."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from classify.survival.cox_fit import fit_cox
from classify.survival.cox_likelihood import cox_log_likelihood
from classify.survival.separation import separating
from simulate.base.errors import InputError
from tests.classify.survival.rossi import oracle, rossi

WAYS = ["efron", "breslow"]


def drawn(count, features, seed, ties=False, effect=0.6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, features))
    time = rng.exponential(np.exp(-effect * x[:, 0]))
    lost = rng.exponential(2, count)
    seen = np.minimum(time, lost)
    return x, (np.ceil(4 * seen) if ties else seen), time <= lost


def by_loops(eta, time, event, ties):
    """The definition, event by event."""
    total = 0.0
    for moment in np.unique(time[event]):
        dying = np.flatnonzero(event & (time == moment))
        for nth, i in enumerate(dying):
            share = nth / len(dying) if ties == "efron" else 0
            total += eta[i] - np.log(np.exp(eta[time >= moment]).sum() - share * np.exp(eta[dying]).sum())
    return total


@pytest.mark.x64
@pytest.mark.parametrize("ties", WAYS)
def test_likelihood_is_its_definition_whatever_the_order(ties):
    x, time, event = drawn(60, 1, 1, ties=True)
    eta = 2 * x[:, 0]
    expected = by_loops(eta, time, event, ties)
    assert float(cox_log_likelihood(eta, time, event, ties=ties)) == pytest.approx(expected, rel=1e-12)
    mixed = np.random.default_rng(2).permutation(60)
    again = jax.jit(cox_log_likelihood, static_argnames="ties")(eta[mixed] + 5, time[mixed], event[mixed], ties=ties)
    assert float(again) == pytest.approx(expected, rel=1e-12)


@pytest.mark.x64
def test_likelihoods_of_all_orders_of_death_add_up_to_one():
    eta = jnp.array([0.3, -1.2, 2.0, 0.5])
    orders = np.array(list(permutations(range(4))), float)
    each = jax.vmap(lambda time: cox_log_likelihood(eta, time, np.ones(4)))(orders)
    assert float(jnp.exp(each).sum()) == pytest.approx(1, rel=1e-12)


@pytest.mark.x64
@pytest.mark.parametrize("ties", WAYS)
def test_gradient_is_that_of_differences_and_adds_up_to_nothing(ties):
    x, time, event = drawn(40, 1, 3, ties=True)
    eta = jnp.asarray(x[:, 0])
    value = lambda eta: cox_log_likelihood(eta, time, event, ties=ties)  # noqa: E731
    gradient = jax.grad(value)(eta)
    for i in range(0, 40, 7):
        step = 1e-5 * jnp.zeros(40).at[i].set(1)
        assert float(gradient[i]) == pytest.approx(float((value(eta + step) - value(eta - step)) / 2e-5), abs=1e-8)
    assert float(gradient.sum()) == pytest.approx(0, abs=1e-12)  # a common shift changes nothing


@pytest.mark.parametrize("ties", WAYS)
def test_extreme_hazards_and_batches_without_events_stay_finite(ties):
    eta = jnp.array([1000.0, -1000.0, 0.0, 0.0])
    for event in (np.array([1, 1, 1, 1]), np.zeros(4, int)):
        value, gradient = jax.value_and_grad(cox_log_likelihood)(eta, np.array([1.0, 2, 2, 3]), event, ties=ties)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
    assert value == 0
    assert not gradient.any()


@pytest.mark.x64
def test_rossis_likelihoods_are_the_published():
    """Efron -675.380632 and Breslow -675.683389 at 0, Efron -658.747659 at its maximum."""
    data = rossi()
    zero = np.zeros(432)
    assert float(cox_log_likelihood(zero, data.time, data.event)) == pytest.approx(-675.380632, abs=1e-6)
    breslow = cox_log_likelihood(zero, data.time, data.event, ties="breslow")
    assert float(breslow) == pytest.approx(-675.683389, abs=1e-6)
    fit = fit_cox(data.features, data.time, data.event, names=data.names)
    assert (fit.log_likelihood_at_zero, fit.log_likelihood) == pytest.approx((-675.380632, -658.747659), abs=1e-6)
    trained = cox_log_likelihood(fit.log_hazard(data.features), data.time, data.event)
    assert float(trained) == pytest.approx(fit.log_likelihood, abs=1e-9)  # the networks' likelihood is the fit's


def test_rossis_fit_is_that_of_lifelines():
    lifelines, data = oracle(), rossi()
    import pandas

    table = pandas.DataFrame(data.features, columns=list(data.names)).assign(week=data.time, arrest=data.event)
    theirs = lifelines.CoxPHFitter().fit(table, "week", "arrest")
    ours = fit_cox(data.features, data.time, data.event, names=data.names)
    np.testing.assert_allclose(ours.coefficients, theirs.params_, atol=1e-7)
    np.testing.assert_allclose(ours.errors, theirs.standard_errors_, atol=1e-7)
    times = ours.times  # between them lifelines draws straight lines
    survival = theirs.predict_survival_function(table.drop(columns=["week", "arrest"]), times=times).T
    np.testing.assert_allclose(ours.survival(data.features, times), survival, atol=1e-6)


@pytest.mark.x64
@pytest.mark.parametrize("ties", WAYS)
@pytest.mark.parametrize("firth", [False, True])
def test_fit_is_where_the_likelihood_is_highest(ties, firth):
    """Against a general optimiser on the differentiable likelihood, penalised by its Hessian's determinant."""
    x, time, event = drawn(50, 2, 4, ties=True)

    @jax.jit
    def loss(b):
        value = lambda b: cox_log_likelihood(x @ b, time, event, ties=ties)  # noqa: E731
        penalty = 0.5 * jnp.linalg.slogdet(-jax.hessian(value)(b))[1]
        return -value(b) - (penalty if firth else 0)

    best = minimize(loss, np.zeros(2), jac=jax.jit(jax.grad(loss)), method="BFGS", options={"gtol": 1e-9})
    fit = fit_cox(x, time, event, ties=ties, firth=firth)
    np.testing.assert_allclose(fit.coefficients, best.x, atol=1e-6)
    value = lambda b: cox_log_likelihood(x @ b, time, event, ties=ties)  # noqa: E731
    information = -jax.hessian(value)(fit.coefficients)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-6)


def test_units_and_origin_of_a_feature_change_nothing_else():
    x, time, event = drawn(80, 2, 5)
    plain, scaled = fit_cox(x, time, event), fit_cox(1e4 * x + 3e5, time, event, firth=False)
    np.testing.assert_allclose(1e4 * scaled.coefficients, plain.coefficients, rtol=1e-8)
    np.testing.assert_allclose(1e4 * scaled.errors, plain.errors, rtol=1e-8)
    assert scaled.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-8)
    penalised = fit_cox(x, time, event, firth=True), fit_cox(1e4 * x + 3e5, time, event, firth=True)
    np.testing.assert_allclose(1e4 * penalised[1].coefficients, penalised[0].coefficients, rtol=1e-6)


def test_intervals_of_the_fit_cover_the_truth():
    covered = []
    for seed in range(150):
        x, time, event = drawn(100, 2, 100 + seed)
        fit = fit_cox(x, time, event)
        covered.append(abs(fit.coefficients - [0.6, 0]) < 1.96 * fit.errors)
    assert 0.91 < np.mean(covered) < 0.985


def test_predicted_survival_is_the_truth_for_many_subjects():
    x, time, event = drawn(1500, 1, 6)
    fit = fit_cox(x, time, event)
    asked, who = np.array([0.2, 0.6, 1.0]), np.array([[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(fit.survival(who, asked), np.exp(-np.exp(0.6 * who) * asked), atol=0.04)
    with pytest.raises(InputError, match="up to"):
        fit.survival(who, [time.max() + 1])
    with pytest.raises(InputError, match=r"give \(n, 1\): feature 0"):
        fit.log_hazard(who[:, 0])


def separated(seed, combined):
    """Without noise, by one feature or by the difference of two."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 3))
    risk = x[:, 0] - x[:, 1] if combined else x[:, 1]
    return x, -risk, np.ones(40)


def test_separation_is_refused_by_name_and_firth_cures_it():
    x, time, event = separated(7, combined=False)
    time = time - time.min()
    with pytest.raises(InputError, match=r"fit_cox: volume: separates .* firth=True"):
        fit_cox(x, time, event, names=("age", "volume", "sex"))
    cured = fit_cox(x, time, event, names=("age", "volume", "sex"), firth=True)
    assert np.isfinite(cured.coefficients).all()
    assert 1 < cured.coefficients[1] < 1e3
    x, time, event = separated(8, combined=True)
    with pytest.raises(InputError, match=r"fit_cox: age \+ volume: separates"):
        fit_cox(x, time - time.min(), event, names=("age", "volume", "sex"))


def test_a_group_without_events_separates():
    """As often in small cohorts: no death among the resected."""
    rng = np.random.default_rng(9)
    resected = np.repeat([0, 1], 20)
    x = np.stack([rng.normal(size=40), resected], axis=1)
    time, event = rng.exponential(size=40), (resected == 0) & (rng.random(40) < 0.7)
    with pytest.raises(InputError, match="fit_cox: resected: separates"):
        fit_cox(x, time, event, names=("age", "resected"))
    assert fit_cox(x, time, event, firth=True).coefficients[1] < -1


@pytest.mark.parametrize("seed", range(40))
def test_separation_is_found_where_and_only_where_a_direction_has_it(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (7, 2)).astype(float)
    time, event = rng.integers(1, 5, 7).astype(float), rng.random(7) < 0.5
    event[0] = True
    leads = []
    for i in np.flatnonzero(event):
        leads += list(x[i] - x[time >= time[i]])
    directions = np.array(
        [(a, b) for a in range(-8, 9) for b in range(-8, 9) if a or b]
    )  # all that small integers need
    gain = directions @ np.array(leads).T
    exists = ((gain >= 0).all(axis=1) & (gain > 0).any(axis=1)).any()
    assert (separating(x, time, event) is not None) == exists


def test_rossi_is_not_separated():
    data = rossi()
    assert (
        separating((data.features - data.features.mean(0)) / data.features.std(0), data.time, data.event == 1) is None
    )


X, T, E = drawn(20, 2, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_cox(X, T, np.zeros(20)), "event: is 0 in all"),
        (lambda: fit_cox(X, T, 2 * E), "event: holds 2"),
        (lambda: fit_cox(X, -T, E), "time: is negative"),
        (lambda: fit_cox(X, T * np.nan, E), "time: is not finite in 20 of 20"),
        (lambda: fit_cox(np.tile(X, 10), T, E), "features: are 20, the subjects 20; take fewer"),
        (lambda: fit_cox(X * [1, np.nan], T, E, names=("age", "volume")), "volume: is not finite"),
        (lambda: fit_cox(X * [1, 0] + 3, T, E, names=("age", "sex")), "sex: is 3 in all"),
        (lambda: fit_cox(X @ [[1, 2], [0, 0]], T, E, names=("a", "b")), "b: is a combination"),
        (lambda: fit_cox(X, T, E, names=("a",)), "1 for 2 features"),
        (lambda: fit_cox(X[:, 0], T, E), r"give \(n, p\)"),
        (lambda: cox_log_likelihood(X[:, 0], -T, E), "time: is negative"),
        (lambda: cox_log_likelihood(X[:, 0], T, 2 * E), "event: holds 2"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
