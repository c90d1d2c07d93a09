"""Trees of arrays survive HDF5 to the bit; nothing that needs pickle gets in."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simulate.base.errors import InputError
from simulate.files.hdf5 import read_hdf5, read_hdf5_attributes, write_hdf5

names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_, np.complex64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
trees = st.recursive(
    st.dictionaries(names, arrays | texts, max_size=3),
    lambda child: st.dictionaries(names, child, max_size=3),
    max_leaves=4,
)


def assert_same_tree(read, written):
    assert type(read) is type(written) or not isinstance(written, dict | str)
    if isinstance(written, dict):
        assert read.keys() == written.keys()
        for name in written:
            assert_same_tree(read[name], written[name])
    elif isinstance(written, str):
        assert read == written
    else:
        assert np.asarray(read).dtype == written.dtype
        np.testing.assert_array_equal(read, written)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(trees)
def test_any_tree_comes_back_to_the_bit(tmp_path, tree):
    write_hdf5(tmp_path / "a.h5", tree)
    assert_same_tree(read_hdf5(tmp_path / "a.h5"), tree)


def test_arrays_are_compressed_and_attributes_kept(tmp_path):
    attributes = {"version": "0.1.0", "seed": 3, "dose": 0.1, "config": "x" * 100_000}
    write_hdf5(tmp_path / "a.h5", {"series": {"data": np.zeros((64, 64, 40), np.float32)}}, attributes)
    assert (tmp_path / "a.h5").stat().st_size < 64 * 64 * 40
    assert read_hdf5_attributes(tmp_path / "a.h5") == attributes


def test_python_numbers_are_stored_as_scalars(tmp_path):
    write_hdf5(tmp_path / "a.h5", {"onset": 8.5, "frames": 60, "sound": True})
    assert read_hdf5(tmp_path / "a.h5") == {"onset": 8.5, "frames": 60, "sound": True}


@pytest.mark.parametrize("value", [None, object(), ["a", "b"], {1, 2}])
def test_objects_are_refused_and_the_old_file_stays(tmp_path, value):
    write_hdf5(tmp_path / "a.h5", {"x": 1.0})
    with pytest.raises(TypeError, match="'bad'"):
        write_hdf5(tmp_path / "a.h5", {"x": 2.0, "bad": value})
    assert read_hdf5(tmp_path / "a.h5") == {"x": 1.0}
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_a_slash_in_a_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no slash"):
        write_hdf5(tmp_path / "a.h5", {"a/b": 1.0})


def test_missing_foreign_and_truncated_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.h5: no such file; check the path"):
        read_hdf5(tmp_path / "gone.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match=r"text\.h5: is not a complete HDF5 file; copy or write it again"):
        read_hdf5_attributes(tmp_path / "text.h5")
    write_hdf5(tmp_path / "a.h5", {"x": np.arange(1000.0)})
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.h5: is not a complete HDF5 file; copy or write it again"):
        read_hdf5(tmp_path / "a.h5")


def test_a_damaged_dataset_is_refused(tmp_path):
    noise = np.random.default_rng(0).standard_normal(5000)
    write_hdf5(tmp_path / "a.h5", {"x": noise})
    whole = bytearray((tmp_path / "a.h5").read_bytes())
    with h5py.File(tmp_path / "a.h5") as file:
        start = file["x"].id.get_chunk_info(0).byte_offset
    whole[start : start + 500] = bytes(500)
    (tmp_path / "a.h5").write_bytes(whole)
    with pytest.raises(InputError, match=r"a\.h5: is damaged; copy or write it again"):
        read_hdf5(tmp_path / "a.h5")


def test_a_foreign_dataset_that_is_no_number_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/ragged"] = np.zeros(2, [("x", "f4"), ("y", "i2")])
    with pytest.raises(InputError, match=r"a\.h5: /g/ragged: holds .*, not numbers or text; store it"):
        read_hdf5(tmp_path / "a.h5")
