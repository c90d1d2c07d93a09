"""Figures: orientation as a radiologist expects it, every unit named, odd maps drawn without complaint."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from experiments.report.figures.curves import (
    TypicalVoxel,
    aif_figure,
    fit_figure,
    histogram_figure,
    motion_figure,
    scatter_truth_figure,
    significant,
    status_figure,
)
from experiments.report.figures.maps import maps_figure
from experiments.report.figures.motion import frame_correlation, suspect_frames
from experiments.report.figures.scales import NO_VALUE, RANGES, scale_of
from experiments.report.figures.slices import display_slices
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps
from simulate.base.units import CLINICAL_UNITS, clinical_unit
from simulate.inputs.arterial_input import ArterialInput

RAS = np.diag([2.0, 2.0, 5.0, 1.0])
LAS = np.diag([-2.0, 2.0, 5.0, 1.0])
NAMES = ("Fp", "Ktrans", "vp", "delay")


def some_maps(shape=(12, 8, 3), affine=RAS):
    rng = np.random.default_rng(1)
    return Maps({name: RANGES[name].high * rng.random(shape) for name in NAMES}, affine)


def render(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    assert buffer.getvalue().startswith(b"\x89PNG")
    return buffer.getvalue()


def words(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def bright_voxel(affine, voxel=(1, 2, 3), shape=(10, 12, 5)):
    volume = np.zeros(shape)
    volume[voxel] = 1
    return [int(i) for i in np.argwhere(display_slices(volume, affine))[0]]


def test_patients_right_is_on_the_viewers_left():
    # in RAS+ the first index grows towards the patient's right: index 1 of 10 lies on the patient's left
    assert bright_voxel(RAS) == [3, 12 - 1 - 2, 10 - 1 - 1]


def test_flipping_the_first_axis_mirrors_the_display():
    assert bright_voxel(LAS) == [3, 9, 1]


def test_flipping_data_and_affine_together_changes_nothing():
    volume = np.random.default_rng(0).random((6, 5, 4))
    np.testing.assert_array_equal(display_slices(volume, RAS), display_slices(volume[::-1], LAS))


def test_a_sagittal_volume_is_shown_in_axial_slices():
    volume = np.random.default_rng(0).random((6, 5, 4))
    to_asr = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])  # axes: anterior, superior, right
    np.testing.assert_array_equal(display_slices(volume.transpose(1, 2, 0), to_asr), display_slices(volume, np.eye(4)))


def test_a_plane_is_one_slice():
    assert display_slices(np.zeros((6, 4)), None).shape == (1, 4, 6)


def test_maps_figure_names_units_slices_and_sides():
    text = words(maps_figure(some_maps()))
    assert {"slice 0", "slice 1", "slice 2", "R", "L"} <= set(text)
    assert {clinical_unit(name) for name in NAMES} <= set(text)


def test_slices_are_numbered_as_stored():
    values = np.full((6, 6, 4), np.nan)
    values[..., 1] = 0.1
    upside_down = np.diag([2.0, 2.0, -5.0, 1.0])
    assert "slice 1" in words(maps_figure(Maps({"vp": values}, upside_down)))


def test_without_an_affine_no_side_is_claimed():
    assert not {"R", "L"} & set(words(maps_figure(some_maps(affine=None))))


def test_many_slices_show_at_most_six_that_hold_voxels():
    values = np.full((8, 8, 60), np.nan)
    values[..., 20:40] = 0.1
    titles = [text for text in words(maps_figure(Maps({"vp": values}, RAS))) if text.startswith("slice")]
    numbers = [int(title.split()[1]) for title in titles]
    assert len(numbers) == 6
    assert min(numbers) >= 20
    assert max(numbers) < 40


def test_voxels_without_estimate_are_grey():
    values = np.full((8, 8, 1), 0.1)
    status = np.zeros(values.shape, int)
    status[4, 4] = int(Status.SATURATED)
    shown = maps_figure(Maps({"vp": values}, RAS), status=status).axes[0].images[0].get_array()
    grey = np.all(np.isclose(shown[..., :3], to_rgb(NO_VALUE)), axis=-1)
    assert grey.sum() == 1


@pytest.mark.parametrize("affine", [None, RAS])
def test_a_map_of_nothing_but_nan_is_drawn(affine):
    maps = Maps({"Fp": np.full((6, 6, 3), np.nan), "vp": np.full((6, 6, 3), np.nan)}, affine)
    render(maps_figure(maps, truth=maps))
    render(maps_figure(maps))
    assert words(histogram_figure(maps, ["Fp"])).count("no estimate") == 1
    render(scatter_truth_figure(maps, maps, ["Fp", "vp"]))


def test_truth_is_drawn_beside_the_estimate():
    maps, truth = some_maps(), some_maps()
    figure = maps_figure(maps, truth=truth)
    assert {"estimate, slice 1", "truth, slice 1", "estimate − truth"} <= set(words(figure))
    render(figure)


def test_ranges_are_for_known_quantities():
    assert set(RANGES) <= set(CLINICAL_UNITS)
    assert all(scale.low < scale.high for scale in RANGES.values())


def test_a_map_without_fixed_range_spans_its_percentiles():
    scale = scale_of("rss", np.r_[np.nan, np.linspace(0, 100, 101)])
    assert (scale.low, scale.high) == pytest.approx((1, 99))
    constant = scale_of("rss", np.full(3, 2.0))
    assert constant.low < constant.high


def test_a_fixed_range_that_most_voxels_exceed_is_doubled_and_says_so():
    usual = RANGES["ve"]
    assert scale_of("ve", np.r_[np.full(80, 0.3), np.full(20, 0.9)]) == usual
    wide = scale_of("ve", np.r_[np.full(70, 0.3), np.full(30, 0.9), np.nan])
    assert (wide.low, wide.high, wide.colours) == (usual.low, 2 * usual.high, usual.colours)
    assert wide.label() == f"{usual.symbol} range ×2"
    assert usual.label("\n") == usual.symbol
    assert scale_of("ve", np.full(9, np.nan)) == usual
    assert scale_of("ve", np.full(9, 1e6)).high == 8 * usual.high


def test_histogram_and_scatter_name_units():
    maps = some_maps()
    for figure in (histogram_figure(maps, NAMES), scatter_truth_figure(maps, maps, NAMES)):
        text = " ".join(words(figure))
        assert all(f"[{clinical_unit(name)}]" in text for name in NAMES)
        render(figure)


def test_fit_figure_shows_parameters_and_residuals():
    t = np.linspace(0, 100, 20)
    voxels = [TypicalVoxel((k, 2, 1), "high Fp", t, t + 1, t, f"PS {k} ± 1 mL/100 mL/min") for k in range(4)]
    figure = fit_figure(voxels)
    assert "PS 3 ± 1 mL/100 mL/min" in words(figure)
    assert len(figure.axes) == 8
    np.testing.assert_allclose(figure.axes[3].lines[-1].get_ydata(), 1)  # second row: residuals
    render(figure)


def test_aif_status_and_motion_figures_draw():
    t = np.arange(30.0)
    render(aif_figure(ArterialInput(t, np.exp(-t), "parker"), series_times=t[::2]))
    render(status_figure(status_shares(np.array([0, 0, int(Status.AT_BOUND)]))))
    render(motion_figure(t, np.full(t.shape, np.nan)))


def moving_series():
    rng = np.random.default_rng(0)
    anatomy = rng.random((12, 10, 4, 1))
    return anatomy + 0.01 * rng.standard_normal((12, 10, 4, 20))


def test_correlation_dips_at_a_shifted_frame():
    series = moving_series()
    series[..., 9] = np.roll(series[..., 9], 2, axis=0)
    correlation = frame_correlation(series)
    assert correlation[0] == 1
    # into the shifted frame and out of it again
    np.testing.assert_array_equal(np.flatnonzero(suspect_frames(correlation)), [9, 10])
    assert "suspect" in words(motion_figure(np.arange(20.0), correlation))


def test_correlation_is_pearsons_over_the_mask():
    series = moving_series()
    mask = np.zeros(series.shape[:3], bool)
    mask[3:8, 2:7] = True
    expected = np.corrcoef(series[mask].T)
    np.testing.assert_allclose(frame_correlation(series, mask)[1:], np.diag(expected, 1))


def test_correlation_leaves_out_nan_and_flags_a_blank_frame():
    series = moving_series()
    clean = frame_correlation(series[1:])
    series[0] = np.nan
    np.testing.assert_allclose(frame_correlation(series), clean)
    series[..., 5] = 0
    assert set(np.flatnonzero(suspect_frames(frame_correlation(series)))) == {5, 6}


def test_a_still_object_has_no_suspect_frame():
    assert not suspect_frames(frame_correlation(np.zeros((3, 3, 5)))).any()
    assert not suspect_frames(np.ones(6)).any()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00302, "0.00302"), (32.74, "32.7"), (1234.5, "1234"), (0, "0"), (np.nan, "–"), (1.5e-9, "1.50e-09")],
)
def test_numbers_carry_three_significant_digits(value, text):
    assert significant(value) == text
