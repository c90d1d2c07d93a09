"""Segments cut at the planes of a grid: closed forms, total length, sampling, and the places where planes meet."""

import numpy as np
import pytest

from simulate.bed.sections import cut_into_sections, lay_out_vessels
from simulate.bed.segments import cut_at_planes
from simulate.vessels.tree import Tree

SHAPE, CELL = (6, 5, 4), (2.0, 1.5, 3.0)
EXTENT = np.multiply(SHAPE, CELL)


def share_of_cells(start, stop, shape=SHAPE, cell=CELL):
    """(*space) share of one segment's length in every cell."""
    cuts = cut_at_planes(np.array([start], float), np.array([stop], float), shape, cell)
    return np.bincount(cuts.cell, cuts.share, np.prod(shape)).reshape(shape)


def one_vessel(start, stop, radius, length=None):
    """A trunk that ends in one terminal."""
    ends = np.array([start, stop], float)
    length = np.linalg.norm(ends[1] - ends[0]) if length is None else length
    return Tree(
        ends, np.array([0, 0]), np.array([[1, -1], [-1, -1]]), np.array([1]), np.array([0.0, radius]),
        np.array([0.0, length]),
    )  # fmt: skip


def test_along_an_axis_every_cell_holds_what_lies_between_its_faces():
    expected = np.zeros(SHAPE)
    expected[:5, 2, 1] = np.array([1.5, 2, 2, 2, 1]) / 8.5
    for ends in ((0.5, 9.0), (9.0, 0.5)):
        start, stop = ((x, 3.5, 4.0) for x in ends)
        np.testing.assert_allclose(share_of_cells(start, stop), expected, atol=1e-15)


def test_along_the_diagonal_of_cubes_only_the_cells_on_it_hold_length():
    """From corner to corner through three planes at a time: a fourth each, and nothing in the neighbours."""
    held = share_of_cells((0, 0, 0), (4.4, 4.4, 4.4), (4, 4, 4), (1.1, 1.1, 1.1))
    expected = np.zeros((4, 4, 4))
    np.einsum("iii->i", expected)[:] = 0.25
    np.testing.assert_allclose(held, expected, atol=1e-15)


def test_a_slanting_line_has_the_lengths_of_geometry():
    """From (0, 0) to (2, 1) in unit squares: it changes rows where it changes columns, at half its way."""
    held = share_of_cells((0.0, 0.25, 0.5), (2.0, 1.25, 0.5), (2, 2, 1), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(held[..., 0], [[0.5, 0.0], [0.25, 0.25]], atol=1e-15)


def test_the_whole_length_is_found_again_and_each_part_lies_in_its_cell():
    rng = np.random.default_rng(0)
    start, stop = rng.uniform(-2, EXTENT + 2, (2, 5000, 3))
    cuts = cut_at_planes(start, stop, SHAPE, CELL)
    np.testing.assert_allclose(np.bincount(cuts.segment, cuts.share), 1.0, rtol=1e-13)
    assert np.all(cuts.share >= 0)
    # the ends of each part, from the shares alone, are on the closed cell (outside the grid: on the nearest one)
    first = np.concatenate([[True], cuts.segment[1:] != cuts.segment[:-1]])
    total = np.concatenate([[0.0], np.cumsum(cuts.share)])
    until = total[1:] - total[:-1][np.maximum.accumulate(np.where(first, np.arange(first.size), 0))]
    low = np.stack(np.unravel_index(cuts.cell, SHAPE), axis=1) * np.asarray(CELL)
    for t in (until - cuts.share, until):
        point = start[cuts.segment] + t[:, None] * (stop - start)[cuts.segment]
        point = np.clip(point, 0, EXTENT)
        assert np.all(point >= low - 1e-8)
        assert np.all(point <= low + CELL + 1e-8)


def test_shares_agree_with_ten_thousand_points():
    rng = np.random.default_rng(1)
    points = (np.arange(10_000) + 0.5) / 10_000
    for start, stop in rng.uniform(0, EXTENT, (20, 2, 3)):
        at = start + points[:, None] * (stop - start)
        index = np.ravel_multi_index(tuple(np.floor(at / CELL).astype(int).T), SHAPE)
        sampled = np.bincount(index, minlength=np.prod(SHAPE)).reshape(SHAPE) / points.size
        # evenly spaced points miss a length by at most one spacing
        np.testing.assert_allclose(share_of_cells(start, stop), sampled, atol=1.0001e-4)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ((4.0, 1.5, 3.0), (4.0, 1.5, 9.0)),  # along an edge where cells meet
        ((2.0, 0.2, 0.2), (2.0, 7.0, 11.0)),  # within a plane
        ((0.0, 0.0, 0.0), (12.0, 0.0, 0.0)),  # on the grid's own edge
        ((12.0, 7.5, 12.0), (0.0, 7.5, 12.0)),
        ((4.0, 3.0, 6.0), (4.0, 3.0, 6.0)),  # without length, on a corner
        ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
        ((-5.0, -5.0, -5.0), (-1.0, -2.0, -3.0)),  # outside
        ((1.0, 1.0, 1.0), (1.0 + 1e-300, 1.0, 1.0)),
    ],
)
def test_on_faces_outside_and_without_length_everything_counts_once(start, stop):
    held = share_of_cells(start, stop)
    assert np.all(np.isfinite(held))
    assert held.sum() == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(share_of_cells(stop, start), held, atol=1e-14)


def test_no_segments_are_no_parts():
    assert cut_at_planes(np.zeros((0, 3)), np.zeros((0, 3)), SHAPE, CELL).share.size == 0


def test_a_narrow_vessel_fills_cells_by_its_length_and_a_tortuous_one_by_its_own():
    start, stop, radius = (0.5, 3.5, 4.0), (9.0, 3.5, 4.0), 0.1
    for length in (8.5, 11.0):
        vessel = one_vessel(start, stop, radius, length)
        _, blood = lay_out_vessels((vessel, vessel), SHAPE, CELL)
        volume = 2 * np.pi * radius**2 * length * share_of_cells(start, stop)
        np.testing.assert_allclose(blood * np.prod(CELL), volume, atol=1e-15)


@pytest.mark.parametrize("away", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_wide_vessel_fills_cells_by_its_cross_section(away):
    """A face at a distance `away` radii from its axis cuts off a circular segment: (arccos a - a sqrt(1-a^2))/pi."""
    radius = 0.7
    beside = 3.0 - away * radius
    tree = one_vessel((1.0, beside, 4.5), (11.0, beside, 4.5), radius)
    pieces = cut_into_sections(tree, SHAPE, CELL)
    held = np.bincount(pieces.cell, pieces.share, np.prod(SHAPE)).reshape(SHAPE)
    assert held.sum() == pytest.approx(1.0, rel=1e-13)
    np.testing.assert_allclose(held.sum((1, 2)), np.array([1, 2, 2, 2, 2, 1]) / 10, atol=1e-15)
    beyond = (np.arccos(away) - away * np.sqrt(1 - away**2)) / np.pi
    assert held.sum((0, 2))[2] == pytest.approx(beyond, abs=1.3 / 19)  # 19 lines stand for the disc
