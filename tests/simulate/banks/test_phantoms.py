"""Banks of phantoms: the same every time, of either tracer, and refused where a file is not what it should be."""

import numpy as np
import pytest

from simulate.banks import water as label
from simulate.banks.phantoms import BankConfig, read_bank, write_bank
from simulate.base.errors import InputError
from simulate.files.hdf5 import read_hdf5, write_hdf5

SMALL = BankConfig(side=8, terminals=60)


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    return write_bank(tmp_path_factory.mktemp("water"), SMALL._replace(tracer="water"), 1)


def test_label_stays_below_what_tissue_and_vessels_can_hold(water):
    """Lasting label that never decays fills the water of tissue, lambda rho = .945 mL/mL; decay keeps it below."""
    bank = read_bank(water, tracer="water")
    assert bank.shape.shape == (1, 512, label.KNOTS.size)
    truth = dict(zip(label.TRUTHS, np.moveaxis(bank.truth, -1, 0), strict=True))
    assert np.all((bank.peak >= 0) & (bank.peak < 0.945 + truth["aBV"]))
    late = (truth["ATT"] > 2.0) & (truth["aBV"] == 0)  # no artery passes through on its way to others
    early = bank.shape.astype(float)[..., label.KNOTS <= 0.2] * bank.peak[..., None]
    assert late.any()
    assert np.max(early[late]) < 2e-3 * np.max(bank.peak)  # label cannot have come yet


def test_another_tracer_and_what_is_not_finite_are_refused(water, tmp_path):
    with pytest.raises(InputError, match="make the bank again"):
        read_bank(water)
    tree = read_hdf5(water[0])
    tree["peak"] = np.where(np.arange(len(tree["peak"])) == 7, np.nan, tree["peak"])
    write_hdf5(tmp_path / "train-00000.h5", tree, {})
    with pytest.raises(InputError, match="not finite"):
        read_bank([tmp_path / "train-00000.h5"], tracer="water")
