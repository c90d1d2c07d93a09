"""Arterial inputs: found in simulated and real images, drawn, read from tables, of populations."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.arterial.evidence import Evidence
from estimate.arterial.found import find_aif
from estimate.arterial.given import aif_from_roi, population_aif
from estimate.arterial.quality import T1_KINDS, assess, chance_off, predict, qualities, values_of
from estimate.arterial.search import FEWEST, purest
from estimate.arterial.table import read_aif_csv, write_aif_csv
from estimate.signal.baseline import detect_baseline
from estimate.signal.concentration import block_concentration
from estimate.signal.vfa import vfa_t1
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import parker_aif
from simulate.inputs.transit import delayed, disperse
from simulate.kinetics.convolution import exponential_convolution, interpolate
from simulate.scanner.frames import frame_average
from simulate.scanner.noise import rician
from simulate.scanner.spgr import spgr_signal

HCT = 0.42
GRID = 28


@dataclass
class Scene:
    """An artery, a wider vein and tissue of every kind, with partial volume, noise and wrong T10."""

    concentration: np.ndarray
    times: np.ndarray
    plasma: np.ndarray
    artery: np.ndarray
    vein: np.ndarray


def disk(x, y, radius, fine=8):
    """Share of each pixel inside a disk."""
    centre = (np.arange(GRID * fine) + 0.5) / fine
    inside = (centre[:, None] - x) ** 2 + (centre - y) ** 2 <= radius**2
    return inside.reshape(GRID, fine, GRID, fine).mean((1, 3))


def scene(seed, *, spacing, snr, radius, t10_error=0.12, vein_radius=3.0):
    rng = np.random.default_rng(seed)
    knots = jnp.arange(0, 260, 0.5)
    plasma = disperse(parker_aif(knots, haematocrit=HCT, onset=30.0), knots, time_constant=1.0)
    vein = delayed(disperse(plasma, knots, time_constant=3.0), knots, 5.0)
    times = jnp.arange(0, 240, spacing)
    protocol = DCEProtocol(times, 0.004, 20.0, baseline=int(30 / spacing), frame_duration=float(spacing))
    low, high = [0.002, 0.02, 0.0, 0.1, 0.5], [0.02, 0.1, 0.004, 0.4, 4.0]
    flow, vp, ktrans, ve, late = jnp.asarray(rng.uniform(low, high, (GRID * GRID, 5)).T)
    arrived = knots - late[:, None]
    tissue = flow[:, None] * exponential_convolution(plasma, knots, flow / vp, arrived)
    tissue += ktrans[:, None] * exponential_convolution(plasma, knots, ktrans / ve, arrived)
    tissue = np.asarray(frame_average(tissue, knots, protocol)).reshape(GRID, GRID, 1, -1)
    blood = [(1 - HCT) * np.asarray(frame_average(c, knots, protocol)) for c in (plasma, vein)]
    artery = np.stack([disk(8.3 + 0.3 * z, 9.6, radius) for z in range(3)], axis=2)
    veins = np.stack([disk(20.0, 18 + 0.2 * z, vein_radius) for z in range(3)], axis=2)
    vessels = artery + veins
    truth = tissue * (1 - vessels)[..., None] + artery[..., None] * blood[0] + veins[..., None] * blood[1]
    t10 = 1.2 * (1 - vessels) + 1.65 * vessels
    signal = spgr_signal(jnp.asarray(truth), protocol, t10=t10, s0=1000.0)
    noisy = rician(jax.random.key(seed), signal, jnp.mean(signal[..., 0]) / snr)
    wrong = jnp.asarray(t10 * np.exp(t10_error * rng.normal(size=t10.shape)))
    measured, _ = block_concentration(noisy, protocol, t10=wrong)
    return Scene(np.asarray(measured), np.asarray(times), blood[0] / (1 - HCT), artery, veins)


def area(curve, times):
    """Area of the first 70 s: the first pass and what recirculates at once."""
    return np.trapezoid(np.asarray(curve)[times < 70], times[times < 70])


@pytest.mark.x64
@pytest.mark.parametrize(("spacing", "snr", "radius"), [(5.0, 20, 2.0), (2.0, 15, 1.5), (1.0, 10, 2.0), (6.0, 20, 3.0)])
def test_the_artery_is_found_and_not_the_vein(spacing, snr, radius):
    image = scene(1, spacing=spacing, snr=snr, radius=radius)
    found = find_aif(image.concentration, image.times, haematocrit=HCT)
    assert image.artery[found.mask].min() > 0.5
    assert image.artery[found.mask].mean() > 0.85
    assert image.vein[found.mask].max() == 0
    assert area(found.curve, image.times) == pytest.approx(area(image.plasma, image.times), rel=0.15)
    assert found.details["voxels"] == found.mask.sum() >= 5


def test_it_is_closer_than_the_five_highest_voxels():
    """The straw man collects every voxel whose T10 is most wrong."""
    errors = []
    for seed in range(3):
        image = scene(seed, spacing=2.0, snr=15, radius=1.5)
        curves = image.concentration[np.all(np.isfinite(image.concentration), axis=-1)]
        straw = curves[np.argsort(curves.max(axis=-1))[-5:]].mean(axis=0) / (1 - HCT)
        found = find_aif(image.concentration, image.times, haematocrit=HCT).curve
        true = area(image.plasma, image.times)
        errors.append([abs(area(c, image.times) / true - 1) for c in (found, straw)])
    ours, theirs = np.mean(errors, axis=0)
    assert ours < 0.15
    assert theirs > 2 * ours


@pytest.mark.x64
def test_amplitude_is_linear_and_times_may_start_anywhere():
    image = scene(2, spacing=2.0, snr=20, radius=2.0)
    one = find_aif(image.concentration, image.times, haematocrit=HCT)
    two = find_aif(1.7 * image.concentration, image.times - 500.0, haematocrit=0.0)
    np.testing.assert_array_equal(one.mask, two.mask)
    np.testing.assert_allclose(two.curve, 1.7 * (1 - HCT) * one.curve, rtol=1e-9, atol=1e-12)


def test_the_mask_restricts_the_search_and_voxels_the_number():
    image = scene(2, spacing=2.0, snr=20, radius=2.0)
    first = np.zeros(image.artery.shape, bool)
    first[:, :, 0] = True
    found = find_aif(image.concentration, image.times, haematocrit=HCT, mask=first, voxels=4)
    assert found.mask.sum() == 4
    assert found.mask[:, :, 1:].sum() == 0


def test_without_an_artery_the_sentence_says_what_to_do():
    image = scene(3, spacing=2.0, snr=20, radius=2.0)
    with pytest.raises(InputError, match='`aif="parker"`'):
        find_aif(image.concentration, image.times, haematocrit=HCT, mask=np.zeros(image.artery.shape, bool))


def test_tissue_alone_is_refused_or_warned_of():
    """Looser limits may take tissue for a vessel, but not as if it were one."""
    image = scene(3, spacing=2.0, snr=20, radius=2.0)
    tissue = (image.artery == 0) & (image.vein == 0)
    found = find_aif(image.concentration, image.times, haematocrit=HCT, mask=tissue)
    assert found.details["limits of the search"] == "loosened"
    assert "No vessel passes the usual limits" in found.warnings[0]
    assert found.spread > 0.4


@pytest.fixture(scope="module")
def thin():
    """Arteries 1.2 voxels across: every voxel is shared with tissue. (scene, what was found) of six seeds."""
    images = [scene(seed, spacing=2.0, snr=20, radius=0.6, vein_radius=0.0) for seed in range(6)]
    return [(image, find_aif(image.concentration, image.times, haematocrit=HCT)) for image in images]


def errors(pairs):
    """ln(area/true) as measured and as delivered."""
    delivered = np.array([np.log(area(f.curve, s.times) / area(s.plasma, s.times)) for s, f in pairs])
    return delivered - np.log([found.details["factor on what was measured"] for _, found in pairs]), delivered


def test_partial_volume_lowers_the_area_and_the_correction_brings_it_nearer(thin):
    measured, delivered = errors(thin)
    assert np.all(measured < -0.1)
    assert np.mean(np.abs(delivered)) < np.mean(np.abs(measured))
    assert np.abs(np.mean(delivered)) < 0.5 * np.abs(np.mean(measured))
    spread = np.array([found.spread for _, found in thin])
    assert np.mean(np.abs(delivered) < 1.645 * spread) > 0.6
    assert np.all(spread > 0.1)


def test_a_thin_vessel_is_warned_of_and_a_wide_one_is_left_alone(thin):
    low = errors(thin)[0] < np.log(0.8)
    assert low.sum() >= 3
    assert all(found.warnings for (_, found), is_low in zip(thin, low, strict=True) if is_low)
    assert all("looks thin" in found.warnings[0] for _, found in thin if found.warnings)
    image = scene(1, spacing=2.0, snr=20, radius=2.5)
    wide = find_aif(image.concentration, image.times, haematocrit=HCT)
    assert wide.warnings == ()
    assert wide.details["factor on what was measured"] == pytest.approx(1.0, abs=0.05)
    assert wide.spread < 0.25


def test_the_order_of_the_voxels_is_of_no_consequence():
    image = scene(2, spacing=2.0, snr=20, radius=2.0)
    here = find_aif(image.concentration, image.times, haematocrit=HCT)
    turned = find_aif(image.concentration[::-1, ::-1, ::-1].swapaxes(0, 1), image.times, haematocrit=HCT)
    np.testing.assert_array_equal(turned.mask, here.mask[::-1, ::-1, ::-1].swapaxes(0, 1))
    np.testing.assert_allclose(turned.curve, here.curve, rtol=1e-9, atol=1e-12)
    assert turned.spread == pytest.approx(here.spread, rel=1e-9)


def test_a_lone_spike_changes_nothing():
    """One voxel with a tenfold bolus, away from every vessel, is noise and no purer blood."""
    image = scene(2, spacing=2.0, snr=20, radius=0.8)
    spiked = image.concentration.copy()
    spiked[2, 25, 1] = 10 * (1 - HCT) * image.plasma
    here, there = (find_aif(c, image.times, haematocrit=HCT) for c in (image.concentration, spiked))
    np.testing.assert_array_equal(there.mask, here.mask)
    np.testing.assert_allclose(there.curve, here.curve, rtol=1e-9, atol=1e-12)


def test_a_group_without_a_pure_voxel_still_gives_a_curve():
    """Areas of one to four, none within a fifth of their upper third: the nearest are taken."""
    shape = np.asarray(parker_aif(jnp.arange(0, 200, 2.0), haematocrit=HCT, onset=20.0))
    chosen = purest(np.array([1.0, 1.0, 4.0, 4.0])[:, None] * shape, 50)
    assert chosen.size == FEWEST
    lone = purest(np.array([1.0, 2.0, 4.0])[:, None] * shape, 2)
    assert lone.size == 2


EVIDENCE = Evidence(width=1.9, flat=-0.3, count=2.0, size=5.0, purest=0.1, attempt=0, t1=0.0, in_blood=False)


def test_a_wrong_t1_moves_the_curve_against_its_error_and_far_ones_are_not_believed():
    """T1 too long makes concentration too low: the curve is raised; beyond what scenes had, the spread grows."""
    right, long, short = (assess(EVIDENCE._replace(t1=t1)) for t1 in (0.0, 0.15, -0.15))
    assert short.factor < right.factor < long.factor
    assert right.factor == pytest.approx(1.0, abs=0.05)
    assert right.warnings == ()
    given_as_number = assess(EVIDENCE._replace(t1=np.log(1.0 / 1.67)))
    assert "0.60 times that of blood" in given_as_number.warnings[0]
    assert '`aif_t1="blood"`' in given_as_number.warnings[0]
    assert given_as_number.spread > short.spread > right.spread
    farther = assess(EVIDENCE._replace(t1=np.log(0.3)))
    assert farther.factor == pytest.approx(given_as_number.factor)
    assert farther.spread > given_as_number.spread


@pytest.mark.parametrize("kind", T1_KINDS)
def test_the_chance_of_an_error_is_that_of_the_stated_normal(kind):
    """Against draws; and narrower evidence of a wider vessel means less correction."""
    quality = qualities()[kind]
    t1 = 0.05 if kind == "measured" else None
    wide = EVIDENCE._replace(t1=t1, in_blood=kind == "blood")
    slim = wide._replace(width=0.5, flat=-2.0, count=0.3, size=2.5)
    mean, spread = predict(quality, np.array([values_of(e, quality.names) for e in (wide, slim)]))
    drawn = np.random.default_rng(0).normal(mean, spread, (200_000, 2))
    off = np.abs(np.exp(-drawn) - 1) > 0.2
    np.testing.assert_allclose(chance_off(mean, spread), off.mean(axis=0), atol=0.004)
    assert mean[1] > mean[0] + 0.2
    assert spread[1] > spread[0]


def test_frames_too_far_apart_to_see_a_first_pass():
    """A breast protocol with a frame a minute shows enhancement, but no bolus."""
    times = jnp.arange(0, 600, 60.0)
    blood = np.asarray(parker_aif(times, haematocrit=0.0, onset=90.0))
    noise = 0.01 * np.random.default_rng(0).standard_normal((4, 4, 1, times.size))
    with pytest.raises(InputError, match="frames see the first pass of contrast; give a region"):
        find_aif(blood + noise, times, haematocrit=HCT)


def test_a_haematocrit_in_per_cent_is_refused():
    with pytest.raises(InputError, match=r"0\.42 for 42 %"):
        find_aif(np.ones((3, 3, 9)), np.arange(9.0), haematocrit=42.0)


def test_real_aorta(shared_data):
    """Abdominal DCE-MRI at 5 s: every chosen voxel lies in the aorta, whose bolus all voxels share."""
    nib = pytest.importorskip("nibabel")
    folder = shared_data / "dce_tumour"
    image, vfa = (np.asarray(nib.load(folder / f"{n}.nii.gz").dataobj, float) for n in ("dce", "vfa"))
    times = np.arange(image.shape[-1]) * 4.976
    protocol = DCEProtocol(times, 0.004, 20.0, relaxivity=3.4, baseline=detect_baseline(image))
    t10 = vfa_t1(vfa, [2.0, 10.0, 20.0], 0.004).t1
    concentration, _ = block_concentration(image, protocol, t10=t10)
    found = find_aif(concentration, times, haematocrit=0.42)
    x, y, z = np.nonzero(found.mask)
    print(f"\n{found.source}; peak in plasma {found.curve.max():.1f} mmol/L; {found.details}")
    assert np.all((np.abs(x - 50) <= 4) & (np.abs(y - 34) <= 4))
    assert set(z) == {0, 1, 2, 3, 4}
    assert int(jnp.argmax(found.curve)) == 8
    # a dose of 0.1 mmol/kg in 4-8 L/min of blood leaves 50-110 mmol s/L in the first pass
    blood = np.asarray(found.curve) * (1 - 0.42)
    assert 50 < np.trapezoid(blood[7:11], times[7:11]) < 110


@pytest.mark.x64
def test_a_drawn_region_is_averaged_without_its_saturated_voxels():
    image = scene(2, spacing=2.0, snr=20, radius=2.0)
    concentration = image.concentration.copy()
    region = image.artery > 0.99
    first = tuple(np.argwhere(region)[0])
    concentration[(*first, 18)] = np.nan
    drawn = aif_from_roi(concentration, image.times, region, haematocrit=HCT)
    others = region.copy()
    others[first] = False
    np.testing.assert_allclose(drawn.curve * (1 - HCT), image.concentration[others].mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(drawn.mask, others)
    assert drawn.details == {"voxels": others.sum(), "voxels left out": 1}


def test_a_region_of_the_wrong_shape_or_without_voxels_is_refused():
    image = np.ones((4, 4, 9))
    with pytest.raises(InputError, match="on the grid of the series"):
        aif_from_roi(image, np.arange(9.0), np.ones((4, 5), bool), haematocrit=HCT)
    with pytest.raises(InputError, match="inside a vessel"):
        aif_from_roi(image * np.nan, np.arange(9.0), np.ones((4, 4), bool), haematocrit=HCT)


@pytest.mark.parametrize("name", ["parker", "georgiou"])
def test_a_population_input_is_known_between_the_frames(name):
    series_times = jnp.arange(-7.0, 300.0, 5.0)
    population = population_aif(name, series_times, haematocrit=HCT, onset=21.3)
    finer = population_aif(name, jnp.linspace(-7.0, 298.0, 20_000), haematocrit=HCT, onset=21.3)
    assert float(population.times[0]) == -7.0
    assert float(population.times[-1]) == 298.0
    exact = {"parker": 10.47, "georgiou": 8.645 / 0.58}[name]
    assert float(finer.curve.max()) == pytest.approx(exact, rel=5e-3)
    assert np.all(population.curve[population.times < 21.3] == 0)


def test_population_knots_are_dense_enough():
    times = jnp.array([0.0, 300.0])
    population = population_aif("parker", times, haematocrit=HCT, onset=0.0)
    fine = jnp.linspace(0.0, 300.0, 30_001)
    linear = interpolate(population.curve, population.times, fine)
    assert float(jnp.abs(linear - parker_aif(fine, haematocrit=HCT)).max()) < 0.002 * 10.47


TIMES = np.arange(0.0, 50.0, 5.0)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def read(path, **kwargs):
    return read_aif_csv(path, **({"kind": None, "haematocrit": None, "series_times": TIMES} | kwargs))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_written_input_comes_back_to_the_bit(tmp_path, dtype):
    drawn = aif_from_roi(
        np.random.default_rng(0).random((3, 10)).astype(dtype),
        TIMES.astype(dtype),
        np.ones(3, bool),
        haematocrit=HCT,
    )
    write_aif_csv(tmp_path / "aif.csv", drawn)
    back = read(tmp_path / "aif.csv")
    np.testing.assert_array_equal(back.curve.astype(dtype), drawn.curve)
    np.testing.assert_array_equal(back.times.astype(dtype), drawn.times)
    assert [file.name for file in tmp_path.iterdir()] == ["aif.csv"]


def test_blood_becomes_plasma_and_is_never_assumed(tmp_path):
    rows = "time_s,concentration_mmol_per_L\n" + "".join(f"{t},{t / 10}\n" for t in TIMES)
    path = write(tmp_path / "a.csv", rows)
    np.testing.assert_allclose(read(path, kind="plasma").curve, TIMES / 10)
    np.testing.assert_allclose(read(path, kind="blood", haematocrit=0.5).curve, TIMES / 5)
    with pytest.raises(InputError, match=r"`kind=blood\|plasma`"):
        read(path)
    with pytest.raises(InputError, match="Haematocrit"):
        read(path, kind="blood")
    said = write(tmp_path / "b.csv", "# kind: blood\n" + rows)
    np.testing.assert_allclose(read(said, haematocrit=0.5).curve, TIMES / 5)
    with pytest.raises(InputError, match="the file says blood"):
        read(said, kind="plasma")


def test_a_table_of_blood_says_its_haematocrit(tmp_path):
    drawn = ArterialInput(jnp.asarray(TIMES), jnp.asarray(TIMES / 10), "a vessel")
    path = tmp_path / "blood.csv"
    write_aif_csv(path, drawn, haematocrit=0.5)
    np.testing.assert_allclose(np.genfromtxt(path, delimiter=",")[1:, 1], TIMES / 20, rtol=1e-6)
    for given in (None, 0.5):
        np.testing.assert_allclose(read(path, haematocrit=given).curve, drawn.curve, rtol=1e-6)
    with pytest.raises(InputError, match=r"the file says 0.5, the argument or sidecar 0.42; correct one"):
        read(path, haematocrit=0.42)
    for said in ("50", "half", "nan"):
        path.write_text(path.read_text().replace("haematocrit: 0.5", f"haematocrit: {said}"))
        with pytest.raises(InputError, match="fraction"):
            read(path)
        write_aif_csv(path, drawn, haematocrit=0.5)


def test_a_table_says_no_more_digits_than_are_read(tmp_path):
    """A simulation's knots are in double precision: 0.1 s steps are written as 0.1, 0.2, 0.3."""
    write_aif_csv(tmp_path / "a.csv", ArterialInput(np.arange(400) * 0.1, np.arange(400) / 7, "a simulation"))
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines[4:8]] == ["0.0", "0.1", "0.2", "0.3"]
    found = read_aif_csv(tmp_path / "a.csv", kind=None, haematocrit=None, series_times=TIMES[:2])
    np.testing.assert_array_equal(found.curve, np.float32(np.arange(400) / 7))


def test_a_table_keeps_its_own_times_whatever_separates_its_columns(tmp_path):
    for separator in (",", ";", "\t", "  ", ", "):
        path = write(tmp_path / "a.csv", "".join(f"{t}{separator}1.0\n" for t in (-3, 0.5, 20, 61)))
        np.testing.assert_allclose(read(path, kind="plasma").times, [-3, 0.5, 20, 61])


def test_a_table_of_a_spreadsheet_is_read(tmp_path):
    """With a byte order mark, quotes, and the line ends of Windows."""
    rows = '\ufeff"time, s";"c"\r\n' + "".join(f'"{t}";"{t / 10}"\r\n' for t in TIMES)
    (tmp_path / "a.csv").write_bytes(rows.encode())
    np.testing.assert_allclose(read(tmp_path / "a.csv", kind="plasma").curve, TIMES / 10)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0,5;1,5\n60,0;2,0\n", "line 2.*not two numbers"),
        ("0,1\n10,x\n60,2\n", "line 2.*not two numbers"),
        ("0,1\n10\n60,2\n", "line 2.*not two numbers"),
        ("0,1\n10,nan\n60,2\n", "line 2.*not two numbers"),
        ("0,1\n30,1\n20,1\n60,2\n", "line 3.*does not come after 30"),
        ("0,1\n20,2\n", "covers 0 to 20 s, the series 0 to 45 s; give a curve that covers"),
        ("0,1\n0.75,2\n", "look like minutes"),
        ("time_min,c\n0,1\n60,2\n", "says minutes"),
        ("Time [min] c\n0,1\n60,2\n", "says minutes"),
        ("time_ms,conc_mM\n0,1\n30000,1\n60000,2\n", "says milliseconds; give seconds"),
        ("time_s,conc_umol_per_L\n0,1\n30,1\n60,2\n", "concentration.*says micromoles; give mmol/L"),
        (
            "0,1\n30000,1\n60000,2\n",
            "covers 0 to 60000 s, and the series 0 to 45 s alone; these look like milliseconds",
        ),
        ("# time unit: min\n0,1\n60,2\n", "time unit.*min.*seconds"),
        ("# kind: serum\n0,1\n60,2\n", "serum"),
        ("time_s,c\n", "0 rows"),
    ],
)
def test_a_faulty_table_is_named_with_its_line_and_cure(tmp_path, text, sentence):
    kind = None if "kind" in text else "plasma"
    with pytest.raises(InputError, match=sentence):
        read(write(tmp_path / "a.csv", text), kind=kind)


@pytest.mark.parametrize(
    "heading",
    ["time_s,conc_minus_baseline", "t,c", "seconds,mmol/L", "time (s);c (mM)", "time s conc", "t_peak_aligned,Cp"],
)
def test_a_heading_that_says_nothing_else_is_passed_over(tmp_path, heading):
    """A word inside a word is none."""
    rows = heading + "\n" + "".join(f"{t},{t / 10}\n" for t in TIMES)
    np.testing.assert_allclose(read(write(tmp_path / "a.csv", rows), kind="plasma").curve, TIMES / 10)


@pytest.mark.parametrize("kind", ["blood", "plasma"])
def test_the_stated_error_travels_with_the_table(tmp_path, kind):
    known = ArterialInput(jnp.asarray(TIMES), jnp.ones(10), "a vessel", spread=0.0825)
    write_aif_csv(tmp_path / "a.csv", known)
    text = (tmp_path / "a.csv").read_text().replace("# kind: plasma", f"# kind: {kind}")
    write(tmp_path / "a.csv", text)
    assert read(tmp_path / "a.csv", haematocrit=0.5).spread == 0.0825
    write_aif_csv(tmp_path / "b.csv", replace(known, spread=np.nan))
    assert "logarithm" not in (tmp_path / "b.csv").read_text()
    assert np.isnan(read(tmp_path / "b.csv").spread)


@pytest.mark.parametrize("spread", ["nan", "inf", "-0.1", "small"])
def test_an_error_that_is_no_number_is_refused(tmp_path, spread):
    rows = "# kind: plasma\n# sd of the logarithm of its area: " + spread + "\n0,1\n60,2\n"
    with pytest.raises(InputError, match=r"sd of the logarithm of its area.*leave the line out"):
        read(write(tmp_path / "a.csv", rows))
    if spread in ("inf", "-0.1"):
        with pytest.raises(InputError, match="leave it out where it is not known"):
            ArterialInput(jnp.asarray(TIMES), jnp.ones(10), "mine", spread=float(spread))


def test_a_missing_table(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.csv", kind="plasma")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path, kind="plasma")


def test_an_input_is_a_value():
    drawn = aif_from_roi(np.ones((2, 10)), TIMES, np.ones(2, bool), haematocrit=0.5)
    louder = replace(drawn, curve=2 * drawn.curve)
    np.testing.assert_allclose(louder.curve, 4.0)
    np.testing.assert_allclose(drawn.curve, 2.0)
