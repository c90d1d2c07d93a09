"""Images keep their bits and their affine; a damaged or unsuitable file is refused with a cure."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simulate.base.errors import InputError
from simulate.files.image_files import image_files, sidecar_path
from simulate.files.nifti import Image, check_same_grid, read_image, write_image

OBLIQUE = np.array([[1.5, 0.25, 0, -90], [-0.25, 1.5, 0, 12.5], [0, 0, 4, 7], [0, 0, 0, 1]])
"""Every entry is exact in float32, as NIfTI stores it."""


@pytest.fixture
def series():
    return np.random.default_rng(0).standard_normal((5, 4, 3, 7)).astype(np.float32)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_round_trip_is_exact_to_the_bit(tmp_path, series, name):
    path = tmp_path / name
    write_image(path, series, OBLIQUE, unit_description="1/min")
    image = read_image(path)
    assert image.data.dtype == np.float32
    np.testing.assert_array_equal(image.data, series)
    np.testing.assert_array_equal(image.affine, OBLIQUE)
    np.testing.assert_allclose(image.zooms, [np.hypot(1.5, 0.25), np.hypot(1.5, 0.25), 4])
    assert image.path == path
    assert [p.name for p in tmp_path.iterdir()] == [name]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=4, max_side=4)))
def test_any_float32_survives_including_nan_and_infinity(tmp_path, data):
    write_image(tmp_path / "a.nii.gz", data, np.eye(4))
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").data, data)


def test_the_file_is_compressed_and_the_same_bytes_every_time(tmp_path, series):
    write_image(tmp_path / "a.nii.gz", np.zeros_like(series), OBLIQUE)
    first = (tmp_path / "a.nii.gz").read_bytes()
    assert len(first) < series.nbytes / 2
    write_image(tmp_path / "a.nii.gz", np.zeros_like(series), OBLIQUE)
    assert (tmp_path / "a.nii.gz").read_bytes() == first


def test_the_header_says_units_and_both_transforms(tmp_path, series):
    write_image(tmp_path / "a.nii.gz", series, OBLIQUE, unit_description="mL/100 mL/min")
    header = nib.load(tmp_path / "a.nii.gz").header
    assert header.get_xyzt_units() == ("mm", "sec")
    assert header["descrip"].item() == b"mL/100 mL/min"
    np.testing.assert_allclose(header.get_qform(coded=True)[0], OBLIQUE, atol=1e-5)
    assert header.get_sform(coded=True)[1] == header.get_qform(coded=True)[1] == 1


def test_integers_are_stored_as_int32_without_loss(tmp_path):
    status = np.arange(24).reshape(2, 3, 4) << 20
    write_image(tmp_path / "status.nii.gz", status, np.eye(4))
    assert nib.load(tmp_path / "status.nii.gz").get_data_dtype() == np.int32
    np.testing.assert_array_equal(read_image(tmp_path / "status.nii.gz").data, status)
    with pytest.raises(OverflowError, match="beyond 32 bits"):
        write_image(tmp_path / "status.nii.gz", status << 20, np.eye(4))


def test_scaled_integers_are_read_in_their_unit(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    image.to_filename(tmp_path / "a.nii")
    expected = np.asarray(nib.load(tmp_path / "a.nii").dataobj)
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").data, expected)


def test_nifti_2_is_read(tmp_path, series):
    nib.Nifti2Image(series, OBLIQUE).to_filename(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").data, series)


def test_a_failure_while_writing_leaves_the_old_image(tmp_path, series, monkeypatch):
    path = tmp_path / "a.nii.gz"
    write_image(path, series, OBLIQUE)

    def fail_half_way(self, name):
        name.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(nib.Nifti1Image, "to_filename", fail_half_way)
    with pytest.raises(OSError, match="disk full"):
        write_image(path, 2 * series, OBLIQUE)
    np.testing.assert_array_equal(read_image(path).data, series)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_the_name_of_an_output_must_be_nifti(tmp_path, series):
    with pytest.raises(InputError, match=r"a\.png: is not the name of a NIfTI image; end it in \.nii\.gz"):
        write_image(tmp_path / "a.png", series, OBLIQUE)


def test_a_trailing_axis_of_length_one_is_dropped_where_3d_is_asked(tmp_path, series):
    write_image(tmp_path / "a.nii.gz", series[..., :1], OBLIQUE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz", dimensions=3).data, series[..., 0])
    assert read_image(tmp_path / "a.nii.gz", dimensions=(3, 4)).data.shape == (5, 4, 3, 1)
    assert read_image(tmp_path / "a.nii.gz").data.shape == (5, 4, 3, 1)


def test_the_wrong_number_of_axes_is_refused(tmp_path, series):
    write_image(tmp_path / "a.nii.gz", series, OBLIQUE)
    write_image(tmp_path / "b.nii.gz", series[..., 0], OBLIQUE)
    with pytest.raises(InputError, match=r"b\.nii\.gz: shape: is \(5, 4, 3\), and a 4-D image.*whole series"):
        read_image(tmp_path / "b.nii.gz", dimensions=4)
    with pytest.raises(InputError, match=r"a\.nii\.gz: shape: is \(5, 4, 3, 7\), and a 3-D.*single volume"):
        read_image(tmp_path / "a.nii.gz", dimensions=3)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.nii\.gz: no such file; check the path"):
        read_image(tmp_path / "gone.nii.gz")
    with pytest.raises(InputError, match=r"is a folder; check the path"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.dcm"])
@pytest.mark.parametrize("content", [b"", b"no image", b"j" * 5000])
def test_what_is_not_nifti_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: .*(NIfTI|damaged).*; (give a .nii|copy or export)"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_every_truncation_is_detected(tmp_path, series, name):
    write_image(tmp_path / name, series, OBLIQUE)
    whole = (tmp_path / name).read_bytes()
    for kept in (10, 200, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:kept])
        with pytest.raises(InputError, match=name):
            read_image(tmp_path / name)


def test_every_flipped_byte_of_a_compressed_image_is_detected(tmp_path, series):
    """nibabel alone lets most of these through, because it does not read on to the checksum."""
    path = tmp_path / "a.nii.gz"
    write_image(path, series, OBLIQUE)
    whole = path.read_bytes()
    for position in range(20, len(whole), 101):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        with pytest.raises(InputError, match=r"a\.nii\.gz"):
            read_image(path)


def test_a_compressed_image_with_too_few_voxels_is_detected(tmp_path, series):
    write_image(tmp_path / "a.nii", series, OBLIQUE)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()[:-40]))
    with pytest.raises(InputError, match=r"a\.nii\.gz: is truncated or damaged .*; copy or export the image"):
        read_image(tmp_path / "a.nii.gz")


def test_complex_voxels_and_a_singular_affine_are_refused(tmp_path, series):
    nib.Nifti1Image(series.astype(np.complex64), OBLIQUE).to_filename(tmp_path / "c.nii")
    with pytest.raises(InputError, match=r"c\.nii: data type: is complex64, not real.*; export magnitudes"):
        read_image(tmp_path / "c.nii")
    image = nib.Nifti1Image(series, OBLIQUE)
    image.header["srow_z"] = 0
    image.header["qform_code"] = 0
    raw = bytearray(image.to_bytes())
    raw[312:328] = bytes(16)  # srow_z
    (tmp_path / "s.nii").write_bytes(raw)
    with pytest.raises(InputError, match=r"s\.nii: affine: is singular.*; mend the image's header"):
        read_image(tmp_path / "s.nii")


def test_grids_agree_within_rounding_and_differ_beyond(tmp_path, series):
    reference = Image(series, OBLIQUE, tmp_path / "dce.nii.gz")
    mask = series[..., 0]
    jitter = np.zeros((4, 4))
    jitter[:3] = 5e-4
    check_same_grid(Image(mask, OBLIQUE + jitter, tmp_path / "m.nii.gz"), reference, "mask")

    with pytest.raises(
        InputError, match=r"m\.nii\.gz: mask: shape \(5, 4, 2\) differs from \(5, 4, 3\) of .*dce.*; resample"
    ):
        check_same_grid(Image(mask[..., :2], OBLIQUE, tmp_path / "m.nii.gz"), reference, "mask")
    shifted = OBLIQUE.copy()
    shifted[0, 3] += 0.01
    with pytest.raises(InputError, match=r"m\.nii\.gz: mask: affine .*-89\.99.* differs from .*-90\.0.*dce"):
        check_same_grid(Image(mask, shifted, tmp_path / "m.nii.gz"), reference, "mask")
    flipped = OBLIQUE @ np.diag([-1.0, 1, 1, 1])
    with pytest.raises(InputError, match="affine"):
        check_same_grid(Image(mask, flipped, tmp_path / "m.nii.gz"), reference, "mask")


@given(st.from_regex(r"[a-z][a-z.]{0,8}[a-z]", fullmatch=True))
def test_the_sidecar_lies_beside_the_image(stem):
    for ending in (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"):
        assert sidecar_path(f"/data/{stem}{ending}").as_posix() == f"/data/{stem}.json"


# -- pairs of header and voxels -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize(("header", "voxels"), [(".hdr", ".img"), (".hdr.gz", ".img.gz"), (".hdr", ".img.gz")])
def test_a_pair_is_read_by_either_name(tmp_path, series, kind, header, voxels):
    kind(series, OBLIQUE).to_filename(tmp_path / "a.hdr")
    for plain, stored in ((".hdr", header), (".img", voxels)):
        if stored.endswith(".gz"):
            (tmp_path / f"a{stored}").write_bytes(gzip.compress((tmp_path / f"a{plain}").read_bytes()))
            (tmp_path / f"a{plain}").unlink()
    for name in (f"a{header}", f"a{voxels}"):
        image = read_image(tmp_path / name, dimensions=4)
        np.testing.assert_array_equal(image.data, series)
        np.testing.assert_array_equal(image.affine, OBLIQUE)
        assert image_files(tmp_path / name) == [tmp_path / f"a{header}", tmp_path / f"a{voxels}"]


def test_scaled_integers_of_a_pair_are_read_in_their_unit(tmp_path):
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nib.Nifti1Pair(stored, np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    image.to_filename(tmp_path / "a.img")
    written = nib.load(tmp_path / "a.img")
    assert type(written) is nib.Nifti1Pair
    np.testing.assert_array_equal(read_image(tmp_path / "a.img").data, np.asarray(written.dataobj))


def test_a_pair_without_its_other_half_is_refused(tmp_path, series):
    for missing, there in (("hdr", "img"), ("img", "hdr")):
        nib.Nifti1Pair(series, OBLIQUE).to_filename(tmp_path / "a.hdr")
        (tmp_path / f"a.{missing}").unlink()
        with pytest.raises(InputError, match=rf"a\.{missing}: no such file; copy it too"):
            read_image(tmp_path / f"a.{there}")
        with pytest.raises(InputError, match=rf"a\.{missing}: no such file; check the path"):
            read_image(tmp_path / f"a.{missing}")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_truncation_of_a_pair_names_the_damaged_half(tmp_path, series, ending):
    nib.Nifti1Pair(series, OBLIQUE).to_filename(tmp_path / "a.hdr")
    for half in ("hdr", "img"):
        whole = (tmp_path / f"a.{half}").read_bytes()
        (tmp_path / f"a.{half}{ending}").write_bytes(gzip.compress(whole) if ending else whole)
    for half in ("hdr", "img"):
        path = tmp_path / f"a.{half}{ending}"
        whole = path.read_bytes()
        for kept in (10, len(whole) // 2, len(whole) - 9, len(whole) - 1):
            path.write_bytes(whole[:kept])
            # the last bytes of a header alone are no part of it: they say that no extension follows
            if half == "hdr" and not ending and kept >= 348:
                continue
            with pytest.raises(InputError, match=rf"a\.{half}{ending}: .*(damaged|NIfTI)"):
                read_image(tmp_path / f"a.img{ending}")
        path.write_bytes(whole)


def test_analyze_is_refused_since_it_does_not_know_left_from_right(tmp_path, series):
    nib.AnalyzeImage(series, np.eye(4)).to_filename(tmp_path / "a.hdr")
    for name in ("a.hdr", "a.img"):
        with pytest.raises(InputError, match=r"a\.hdr: is ANALYZE 7\.5, .* left from right; convert the image"):
            read_image(tmp_path / name)


# -- more axes than are needed ------------------------------------------------------------------------------


def test_frames_on_the_fourth_axis_or_on_the_fifth_are_one_series(tmp_path, series):
    for shape in ((5, 4, 3, 7, 1), (5, 4, 3, 7, 1, 1), (5, 4, 3, 1, 7), (5, 4, 3, 1, 7, 1)):
        nib.Nifti1Image(series.reshape(shape), OBLIQUE).to_filename(tmp_path / "a.nii.gz")
        for wanted in (4, (3, 4)):
            np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz", dimensions=wanted).data, series)
    nib.Nifti1Image(series[..., :1, None], OBLIQUE).to_filename(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz", dimensions=3).data, series[..., 0])


def test_a_second_long_axis_beyond_space_is_refused(tmp_path, series):
    nib.Nifti1Image(series.reshape(5, 4, 1, 3, 7), OBLIQUE).to_filename(tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"shape: is \(5, 4, 1, 3, 7\), and a 4-D.*store the frames along the fourth"):
        read_image(tmp_path / "a.nii.gz", dimensions=4)
    nib.Nifti1Image(series[:, :, :, None], OBLIQUE).to_filename(tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"shape: is \(5, 4, 3, 1, 7\), and a 3-D.*give a single volume"):
        read_image(tmp_path / "a.nii.gz", dimensions=3)
