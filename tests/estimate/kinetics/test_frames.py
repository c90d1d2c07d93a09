"""Frames to parameters in one step: its values, its status, and its derivatives against finite differences."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.kinetics.fit import fit_kinetics
from estimate.kinetics.frames import fit_frames, frames_jacobian
from estimate.kinetics.reliability import reliability, trust
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import DCEProtocol, Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from simulate.scanner.spgr import spgr_signal

pytestmark = pytest.mark.x64
KNOTS = np.arange(0.0, 220.0, 0.5)
AIF = np.asarray(parker_aif(KNOTS, haematocrit=0.42, onset=20.0))


def measured(snr=80.0, voxels=24, late=0.0):
    """Frames of random 2CXM tissue with noise, up to `late` seconds late."""
    rng = np.random.default_rng(3)
    draw = lambda low, high: rng.uniform(low, high, voxels)  # noqa: E731
    tissue = Tissue(Fp=draw(0.005, 0.015), PS=draw(5e-4, 3e-3), vp=draw(0.03, 0.08), ve=draw(0.1, 0.35))
    protocol = DCEProtocol(3.0 * np.arange(70), 0.005, 15.0, baseline=6, frame_duration=3.0)
    t10 = draw(1.0, 1.8)
    if late:
        tissue = replace(tissue, delay=draw(0.0, late))
    curves = tissue_concentration(tissue, AIF, protocol.frame_centres, aif_times=KNOTS, frame_duration=3.0)
    signal = np.asarray(spgr_signal(curves, protocol, t10=t10, s0=100.0))
    noise = signal[:, :1] / snr * rng.standard_normal(signal.shape)
    return signal + noise, protocol, t10, tissue


def test_values_are_those_of_the_tissue():
    frames, protocol, t10, tissue = measured(snr=1e6)
    fit = fit_frames(frames, protocol, t10=t10, aif=AIF, aif_times=KNOTS)
    for name in ("Fp", "PS", "vp", "ve"):
        np.testing.assert_allclose(fit.values[name], getattr(tissue, name), rtol=2e-3)
    np.testing.assert_allclose(fit.values["Ktrans"], tissue.Ktrans, rtol=1e-3)
    assert np.min(reliability(fit)) > 0.99


def test_the_conversions_status_is_not_lost():
    frames, protocol, t10, _ = measured()
    frames[0], frames[1, 30], frames[2, 30] = 0.0, np.nan, 1e6
    fit = fit_frames(frames, protocol, t10=t10, aif=AIF, aif_times=KNOTS)
    assert fit.status[0] == Status.NO_SIGNAL
    assert fit.status[1] == Status.NOT_FINITE
    assert fit.status[2] == Status.SATURATED
    assert np.isnan(fit.values["Fp"][:3]).all()
    np.testing.assert_array_equal(reliability(fit)[:3], 0)
    _, jacobian = frames_jacobian(frames, protocol, t10=t10, aif=AIF, aif_times=KNOTS)
    for J in (*jacobian.frames.values(), *jacobian.t10.values()):  # nothing there moves, and spoils no other voxel
        np.testing.assert_array_equal(J[:3], 0)
        assert np.isfinite(J).all()
        assert np.abs(J[3:]).max() > 0


def test_a_parameter_on_its_bound_does_not_spoil_the_others():
    """ve held below the truth: it cannot be believed there, Fp, PS and vp can; a delay on its bound spoils all."""
    frames, protocol, t10, _ = measured(late=5.0)
    call = {"t10": t10, "aif": AIF, "aif_times": KNOTS}
    fit = fit_frames(frames, protocol, **call, fit_delay=True, bounds={"ve": (1e-3, 0.2)})
    bound = np.asarray(fit.at_bound["ve"])
    assert np.mean(bound) > 0.3
    assert np.all(reliability(fit)[bound] > 0)
    assert not np.any(reliability(fit, ("Fp", "PS", "vp", "ve"))[bound])
    fit = fit_frames(frames, protocol, **call, fit_delay=True, bounds={"delay": (-9.0, -8.0)})
    assert fit.at_bound["delay"].all()
    assert not np.any(reliability(fit))


def test_a_minimum_is_followed_from_where_it_is_begun():
    """Where next to nothing leaks, exchange can be all but none or all but at once: begun a percent beside one of both
    minima a fit comes back to it, whichever is the least."""
    rng = np.random.default_rng(0)
    protocol = DCEProtocol(3.0 * np.arange(70), 0.004, 20.0, baseline=6, frame_duration=3.0)
    tissue = Tissue(Fp=np.full(200, 0.006), PS=np.full(200, 2e-5), vp=np.full(200, 0.04), ve=np.full(200, 0.005))
    curves = tissue_concentration(tissue, AIF, protocol.frame_centres, aif_times=KNOTS, frame_duration=3.0)
    signal = np.asarray(spgr_signal(curves, protocol, t10=1.0, s0=100.0))
    frames = signal + signal[:, :1] / 50 * rng.standard_normal(signal.shape)
    call = {"t10": 1.0, "aif": AIF, "aif_times": KNOTS, "fit_delay": True}
    names = ("Fp", "PS", "vp", "ve", "delay")
    least = fit_frames(frames, protocol, **call)
    fast = {"Fp": 0.007, "PS": 0.01, "vp": 0.02, "ve": 0.02, "delay": 0.5}
    other = fit_frames(frames, protocol, **call, start=fast)
    near = fit_frames(frames, protocol, **call, start={name: 1.01 * other.values[name] for name in names})
    free = ~np.any(list(other.at_bound.values()), axis=0) & ((other.status & int(Status.NOT_CONVERGED)) == 0)
    apart = np.abs(np.log(other.values["PS"] / least.values["PS"])) > 1
    assert np.sum(free & apart) > 5
    np.testing.assert_allclose(near.values["PS"][free & apart], other.values["PS"][free & apart], rtol=0.01)
    with pytest.raises(InputError, match="start: delay: is missing; give Fp, PS, vp, ve, delay"):
        fit_frames(frames, protocol, **call, start=dict.fromkeys(names[:4], 0.01))
    with pytest.raises(InputError, match="start: cannot be given for auto"):
        fit_kinetics(curves, protocol.times, AIF[:70], model="auto", start=fast)


def test_a_weight_is_half_where_a_parameter_is_just_identifiable():
    """1/(1 + (stderr/(value/3))^2) for each of the names, their product, whatever the sign."""
    assert float(trust(3.0, 1.0)) == float(trust(-3.0, 1.0)) == pytest.approx(0.5)
    assert float(trust(3.0, 3.0)) == pytest.approx(0.1)
    assert [float(trust(*bad)) for bad in ((0.0, 1.0), (1.0, np.nan), (1.0, np.inf), (np.nan, 1.0))] == [0, 0, 0, 0]
    frames, protocol, t10, _ = measured()
    fit = fit_frames(frames, protocol, t10=t10, aif=AIF, aif_times=KNOTS)
    one_by_one = [reliability(fit, (name,)) for name in ("Fp", "PS", "vp")]
    free = np.all([each > 0 for each in one_by_one], axis=0)
    assert free.any()
    np.testing.assert_allclose(reliability(fit)[free], np.prod(one_by_one, axis=0)[free], rtol=1e-12)


@pytest.mark.parametrize("model", ["2cxm", "2cxm and delay", "etm", "patlak"])
def test_block_jacobian_against_finite_differences(model):
    model, *late = model.split(" and ")
    frames, protocol, t10, _ = measured(late=5.0 if late else 0.0)
    call = {"t10": t10, "aif": AIF, "aif_times": KNOTS, "model": model, "fit_delay": bool(late)}
    rtol = 1e-4
    fit, jacobian = frames_jacobian(frames, protocol, **call)
    direction = np.random.default_rng(0).standard_normal(frames.shape)
    h = 1e-3  # a fit knows its optimum to some 5e-9: smaller steps measure that
    ahead, behind = (fit_frames(frames + s * h * direction, protocol, **call) for s in (1, -1))
    good = ~np.any(list(fit.at_bound.values()), axis=0)
    for name in set(fit.values) - {"ve", "delay"}:
        good &= np.asarray(fit.stderr[name] <= fit.values[name] / 3)
    assert good.sum() > 12
    for name, J in jacobian.frames.items():
        slope = (np.asarray(ahead.values[name]) - np.asarray(behind.values[name])) / (2 * h)
        along = (J * direction).sum(axis=1)
        np.testing.assert_allclose(along[good], slope[good], rtol=rtol, atol=2e-5 * np.abs(slope[good]).max())
    ahead, behind = (fit_frames(frames, protocol, **(call | {"t10": t10 + s * h})) for s in (1, -1))
    for name, J in jacobian.t10.items():
        slope = (np.asarray(ahead.values[name]) - np.asarray(behind.values[name])) / (2 * h)
        np.testing.assert_allclose(J[good], slope[good], rtol=rtol, atol=2e-5 * np.abs(slope[good]).max())


@pytest.mark.slow  # finite differences say the same always
def test_block_jacobian_is_what_reverse_mode_gives():
    """Both by the implicit function theorem: that one on the exact curves, this one on the fit's own table, whose
    curvature is known to some 1e-6 (cubic interpolation) and enters times the residual."""
    frames, protocol, t10, _ = measured(voxels=8)
    call = {"aif": AIF, "aif_times": KNOTS}
    _, jacobian = frames_jacobian(frames, protocol, t10=t10, **call)

    @jax.jit
    def total(frames, t10, which):
        fit = fit_frames(frames, protocol, t10=t10, **call)
        return jnp.sum(which @ jnp.stack([fit.values["Fp"], fit.values["Ktrans"]]))

    for name, which in (("Fp", [1.0, 0.0]), ("Ktrans", [0.0, 1.0])):
        at = (jnp.asarray(frames), jnp.asarray(t10), jnp.asarray(which))
        by_frames, by_t10 = jax.grad(total, argnums=(0, 1))(*at)
        np.testing.assert_allclose(jacobian.frames[name], by_frames, rtol=0, atol=1e-5 * np.abs(by_frames).max())
        np.testing.assert_allclose(jacobian.t10[name], by_t10, rtol=0, atol=1e-5 * np.abs(by_t10).max())


@pytest.mark.parametrize("model", ["etm", pytest.param("2cxm", marks=pytest.mark.slow)])
def test_scaling_the_concentration_scales_the_parameters(model):
    """All models are homogeneous: theta(a C) = a theta(C), so sum_t C_t dtheta/dC_t = theta (Euler)."""
    _, protocol, _, tissue = measured()
    call = {"aif_times": KNOTS, "frame_duration": 3.0, "model": model}
    curves = tissue_concentration(tissue, AIF, protocol.frame_centres, **call)

    @jax.jit
    def scaled(a):
        tissue = fit_kinetics(a * curves, protocol.frame_centres, jnp.asarray(AIF), **call).tissue
        return jnp.stack([tissue.PS, tissue.vp, tissue.ve, *([tissue.Fp] if model == "2cxm" else [])])

    value, slope = jax.jvp(scaled, (1.0,), (1.0,))
    np.testing.assert_allclose(slope, value, rtol=1e-6)


def test_another_model_is_refused():
    frames, protocol, t10, _ = measured()
    with pytest.raises(InputError, match=r"model.*'dp'.*2cxm"):
        fit_frames(frames, protocol, t10=t10, aif=AIF, aif_times=KNOTS, model="dp")
