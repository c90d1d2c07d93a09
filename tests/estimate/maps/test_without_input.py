"""Methods without an arterial input on a whole examination: maps, scale, statuses, and what they refuse."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from estimate.arterial.scale import CBFMap
from estimate.maps.pipeline import estimate_maps
from estimate.qtmnet.contrast.targets import MAPS
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.qtmnet.weights import save_trained
from estimate.signal import voxels
from estimate.signal.t10 import VFA
from experiments.commands.estimate_dce import written_names
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import Series
from tests.compilations import compilations
from tests.networks import uncalibrated
from tests.phantom import HAEMATOCRIT, VFA_ANGLES, VFA_TR


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that was never trained: what it says is worthless, how it is asked is not."""
    net = QTMnet(Architecture(encoder=8, blocks=1, heads=1, context=8, decoder=8, branch=(4, 4, 4)), rngs=nnx.Rngs(0))
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_trained(path, uncalibrated(net))
    return path


def ask(phantom, weights, **options):
    series = phantom.signal()
    noise = 2.0 * jax.random.normal(jax.random.key(0), series.data.shape)
    series = Series(jnp.asarray(series.data) + noise, series.protocol, series.affine)
    given = {
        "method": "qtmnet",
        "haematocrit": HAEMATOCRIT,
        "t10": phantom.t10,
        "mask": phantom.inside,
        "weights": weights,
    }
    return estimate_maps(series, **(given | options))


def assert_announced(found):
    """The command line looks whether a result overwrites a file before it works: it has to know all names."""
    names = written_names(found.method, "population", arterial_volume=False)
    assert {f"{name}.nii.gz" for name in found.maps.values} <= names


def test_every_map_is_there_with_its_error_and_the_scale_is_told(phantom, weights):
    found = ask(phantom, weights)
    assert found.aif is None
    assert_announced(found)
    assert {f"{n}{s}" for n in MAPS for s in ("", "_stderr")} <= set(found.maps.values)
    assert "population" in found.facts["scale"]["source"]
    assert len(found.facts["weights"]["sha256"]) == 64
    outside = ~phantom.inside
    assert np.all(np.isnan(found.maps["Fp"][outside]))
    assert np.all(found.status[outside] == Status.OUTSIDE)
    seen = (found.status & int(Status.NO_SIGNAL | Status.OUTSIDE)) == 0
    assert seen.any()
    assert np.all(np.isfinite(found.maps["Fp"][seen]))


def test_scales_move_absolute_values_alone(phantom, weights):
    population = ask(phantom, weights)
    vessels = ask(phantom, weights, scale="vessels", aif=phantom.artery)
    assert vessels.aif is not None
    ratio = (
        population.facts["scale"]["input area over 90 s [mmol/L s]"]
        / vessels.facts["scale"]["input area over 90 s [mmol/L s]"]
    )
    seen = np.isfinite(population.maps["Fp"])
    for name in ("Fp", "PS", "vp", "ve", "Ktrans"):
        np.testing.assert_allclose(vessels.maps[name][seen], ratio * population.maps[name][seen], rtol=1e-4)
    for name in ("MTT", "kep", "E"):
        np.testing.assert_allclose(vessels.maps[name][seen], population.maps[name][seen], rtol=1e-4)
    for name in ("Fp", "PS", "ve"):
        own = [(m.maps[f"{name}_stderr"] / m.maps[name])[seen] for m in (population, vessels)]
        np.testing.assert_allclose(own[0], own[1], rtol=1e-4)  # the voxel's own, whatever the scale's error
    np.testing.assert_array_equal(population.status, vessels.status)
    assert set(population.facts["scale"]["maps"]) == {"Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels"}
    assert population.facts["scale"]["sd of its logarithm"] > 0.25
    cbf = np.full(phantom.inside.shape, 50.0)
    asl = ask(phantom, weights, scale="asl", cbf=cbf)
    assert np.nanmedian(asl.maps["Fp"]) == pytest.approx(50 * 1.05 * (1 - HAEMATOCRIT), rel=1e-3)
    vague = ask(phantom, weights, scale="asl", cbf=CBFMap(cbf, 0.3 * cbf))
    more, less = (found.facts["scale"]["sd of its logarithm"] ** 2 for found in (vague, asl))
    assert more - less == pytest.approx(0.3**2, rel=1e-3)


def test_qtm_gives_velocities_and_says_how_well_it_did(phantom, weights):
    found = ask(phantom, None, method="qtm")
    assert_announced(found)
    for name in ("speed", "velocity_x", "velocity_y", "velocity_z", "vp", "PS", "ve", "kep", "residual"):
        assert np.isfinite(found.maps[name]).any(), name
    assert "iterations" in found.facts["convergence"]
    left = found.facts["convergence"]
    assert left["median residual, two compartments"] <= left["median residual, one compartment"] + 1e-3
    assert np.all(np.isnan(found.maps["speed"][~phantom.inside]))
    impossible = found.maps["vp"] + found.maps["ve"] > 1
    np.testing.assert_array_equal((found.status & int(Status.UNFAMILIAR)) > 0, impossible)


@pytest.mark.parametrize("method", ["qtmnet", "qtm"])
def test_a_series_is_converted_once_and_its_t1_fitted_once(phantom, weights, monkeypatch, method):
    converted, fitted = [], []
    concentration, measure_t10 = voxels.Voxels.concentration, voxels.measure_t10
    monkeypatch.setattr(
        voxels.Voxels, "concentration", lambda self, where: (converted.append(where), concentration(self, where))[1]
    )
    monkeypatch.setattr(voxels, "measure_t10", lambda *a: (fitted.append(a), measure_t10(*a))[1])
    t10 = VFA(phantom.vfa(), VFA_ANGLES, VFA_TR)
    ask(phantom, weights if method == "qtmnet" else None, method=method, t10=t10)
    assert len(fitted) == 1
    places = np.concatenate([np.ravel_multi_index(where, phantom.inside.shape) for where in converted])
    np.testing.assert_array_equal(np.sort(places), np.flatnonzero(phantom.inside))


def test_another_mask_compiles_nothing(phantom, weights):
    ask(phantom, weights)
    less = phantom.inside & (np.arange(8) < 7)[:, None]
    with compilations() as found:
        ask(phantom, weights, mask=less)
    assert not found


def test_a_concentration_that_is_no_number_spoils_no_other_voxel(phantom, weights):
    series = replace(phantom.signal(), data=np.float32(phantom.concentration), quantity="concentration")
    given = {"method": "qtmnet", "mask": phantom.inside, "weights": weights}
    hole = np.zeros(phantom.inside.shape, bool)
    hole[5, 5, 1] = True
    broken = replace(series, data=np.where(hole[..., None] & (np.arange(60) == 30), np.nan, series.data))
    found = estimate_maps(broken, **given)
    without = estimate_maps(series, **(given | {"mask": phantom.inside & ~hole}))
    assert found.status[5, 5, 1] == Status.NOT_FINITE
    np.testing.assert_allclose(found.maps["Fp"][~hole], without.maps["Fp"][~hole], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": "asl"}, "needs a map of CBF"),
        ({"scale": "asl", "method": "qtm", "cbf": np.ones(1)}, "finds none"),
        ({"scale": "kidney"}, "no source"),
    ],
)
def test_what_does_not_go_together_is_refused(phantom, weights, options, words):
    with pytest.raises(InputError, match=words):
        ask(phantom, None if options.get("method") == "qtm" else weights, **options)


def test_a_network_for_comparison_is_refused(phantom, tmp_path):
    shape = Architecture(encoder=8, blocks=1, heads=1, context=8, decoder=8, branch=(), aif_given=True)
    net = QTMnet(shape, rngs=nnx.Rngs(0))
    path = tmp_path / "given.safetensors"
    save_trained(path, uncalibrated(net, branch=False))
    with pytest.raises(InputError, match="with the input given"):
        ask(phantom, path)


def test_short_series_and_slices_are_refused(phantom, weights):
    series = phantom.signal()
    given = {"method": "qtmnet", "haematocrit": HAEMATOCRIT, "t10": phantom.t10, "weights": weights}
    short = replace(
        series, data=series.data[..., :15], protocol=replace(series.protocol, times=series.protocol.times[:15])
    )
    with pytest.raises(InputError, match="15 frames"):
        estimate_maps(short, **given)
    late = replace(series, protocol=replace(series.protocol, baseline=1))
    with pytest.raises(InputError, match="first frames"):
        estimate_maps(late, **given)
