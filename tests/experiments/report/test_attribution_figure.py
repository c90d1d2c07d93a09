"""An attribution over an image: sides, slices, colours, and what is refused."""

import io

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.text import Text

from experiments.report.figures.attribution import attribution_figure
from simulate.base.errors import InputError

SHAPE = (12, 10, 8)
RAS, LAS = np.diag([2.0, 2.0, 5.0, 1.0]), np.diag([-2.0, 2.0, 5.0, 1.0])
IMAGE = np.random.default_rng(0).random(SHAPE)


def drawn(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    assert buffer.getvalue().startswith(b"\x89PNG")
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def overlays(figure):
    """Painted pixels (rows, columns) of each panel."""
    return [image.get_array()[..., 3] > 0 for image in figure.findobj(AxesImage) if image.get_array().ndim == 3]


def one_bright(voxel):
    parts = np.zeros(SHAPE)
    parts[voxel] = 3.0
    return parts


def test_sides_unit_slice_and_note_are_named():
    words = drawn(attribution_figure(one_bright((2, 3, 5)), IMAGE, RAS, note="gap 0.2 %"))
    assert {"R", "L", "slice 5", "logit", "gap 0.2 %"} <= set(words)


@pytest.mark.parametrize(("affine", "column"), [(RAS, 12 - 1 - 2), (LAS, 2)])
def test_a_voxel_is_painted_where_it_lies(affine, column):
    """Index 2 of 12 that grows to the left is near the patient's right, on the left of the picture; and 3 of 10 grows
    to the front, which is above."""
    (painted,) = overlays(attribution_figure(one_bright((2, 3, 5)), IMAGE, affine))
    np.testing.assert_array_equal(np.argwhere(painted), [[10 - 1 - 3, column]])


def test_without_an_affine_no_side_is_claimed():
    assert not {"R", "L"} & set(drawn(attribution_figure(IMAGE, IMAGE, None)))


def test_colours_reach_equally_far_on_both_sides_of_zero_and_from_zero_where_there_is_one():
    for parts, low in ((IMAGE - 0.3, -1), (IMAGE, 0)):
        figure = attribution_figure(parts, IMAGE, RAS)
        bar = figure.axes[-1]
        bottom, top = bar.get_ylim()
        assert top > 0.6
        assert bottom == pytest.approx(low * top)


def test_odd_inputs_are_drawn():
    drawn(attribution_figure(np.zeros(SHAPE), np.full(SHAPE, np.nan), RAS, mask=IMAGE > 0.5))


def test_other_grids_and_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match=r"image: grid: has shape \(12, 10, 4\), and the attribution \(12, 10, 8\)"):
        attribution_figure(IMAGE, IMAGE[:, :, :4], RAS)
    with pytest.raises(InputError, match="attribution: is not finite in 1 of 960"):
        attribution_figure(np.where(one_bright((0, 0, 0)) > 0, np.nan, 1.0), IMAGE, RAS)
