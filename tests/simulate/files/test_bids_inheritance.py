"""Metadata is inherited as BIDS says: the nearer file wins field by field, a table whole; no file applies by luck."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.files.bids.asl import find_context, read_asl_sidecar
from simulate.files.bids.fields import read_fields
from simulate.files.bids.inheritance import Name, parse_name, sidecars_of
from tests.asl_examination import SHAPE, series, write


@pytest.fixture
def perf(tmp_path):
    """sub-1/ses-2/perf of a dataset."""
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    folder = tmp_path / "sub-1" / "ses-2" / "perf"
    folder.mkdir(parents=True)
    return folder


def put(folder, name, **fields):
    (folder / name).write_text(json.dumps(fields))
    return folder / name


def test_a_name_after_bids_has_entities_and_a_suffix():
    assert parse_name("sub-1_run-02_asl") == Name(frozenset({"sub-1", "run-02"}), "asl")
    assert parse_name("asl") == Name(frozenset(), "asl")
    for other in ("sub-1", "sub-1_my_asl", "dce frames", "sub-1_acq-a-b_asl", ""):
        assert parse_name(other) is None


def test_the_example_of_the_specification(tmp_path):
    """Common principles, inheritance, example 1."""
    put(tmp_path, "dataset_description.json")
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    put(tmp_path, "task-rest_bold.json", EchoTime=0.040, RepetitionTime=1.0)
    put(func, "sub-01_task-rest_acq-longtr_bold.json", RepetitionTime=3.0)
    default = read_fields(func / "sub-01_task-rest_acq-default_bold.nii.gz", None, {})
    assert default.sidecar == {"EchoTime": 0.040, "RepetitionTime": 1.0}
    longtr = read_fields(func / "sub-01_task-rest_acq-longtr_bold.nii.gz", None, {})
    assert longtr.sidecar == {"EchoTime": 0.040, "RepetitionTime": 3.0}


def test_every_level_applies_and_the_nearer_wins_field_by_field(perf):
    root = perf.parents[2]
    files = [
        put(root, "asl.json", A=1, B=1, C=1, D=1),
        put(root / "sub-1", "sub-1_asl.json", B=2, C=2, D=None),  # null is not given, and takes nothing back
        put(root / "sub-1" / "ses-2", "sub-1_ses-2_asl.json", C=3, E=3),
        put(perf, "sub-1_ses-2_run-1_asl.json", E=4),
    ]
    found = read_fields(perf / "sub-1_ses-2_run-1_asl.nii.gz", None, {})
    assert found.sidecar == {"A": 1, "B": 2, "C": 3, "D": 1, "E": 4}
    assert list(found.files) == files
    assert [found.sources[name] for name in "ABCDE"] == [files[0], files[1], files[2], files[0], files[3]]


def test_what_does_not_apply_is_not_read(perf):
    root = perf.parents[2]
    put(root.parent, "asl.json")  # above the dataset
    put(root, "m0scan.json")  # another suffix
    put(root, "myasl.json")
    put(root, "task-rest_asl.json")  # an entity that the image lacks
    put(root, "sub-2_asl.json")
    put(root / "sub-1" / "ses-2", "sub-1_ses-3_asl.json")
    put(perf, "sub-1_ses-2_run-2_asl.json")
    assert sidecars_of(perf / "sub-1_ses-2_run-1_asl.nii.gz") == []


def test_the_nearest_dataset_is_the_dataset(perf):
    """Derivatives are a dataset of their own within that of the raw images."""
    root = perf.parents[2]
    put(root, "asl.json")
    put(perf.parents[1], "dataset_description.json")
    own = put(perf.parents[1], "sub-1_asl.json")
    assert sidecars_of(perf / "sub-1_ses-2_asl.nii.gz") == [own]


def test_outside_a_dataset_only_the_images_own_folder_counts(tmp_path):
    folder = tmp_path / "perf"
    folder.mkdir()
    put(tmp_path, "asl.json")
    own = put(folder, "sub-1_asl.json")
    assert sidecars_of(folder / "sub-1_run-1_asl.nii.gz") == [own]


def test_a_name_that_is_not_after_bids_has_the_file_beside_it_alone(perf):
    put(perf.parents[2], "asl.json")
    put(perf, "sub-1_asl.json")
    assert sidecars_of(perf / "dce.nii.gz") == []
    own = put(perf, "dce.json")
    assert sidecars_of(perf / "dce.nii.gz") == [own]
    assert sidecars_of(perf / "sub-1_my_scan_asl.nii.gz") == []
    own = put(perf, "sub-1_my_scan_asl.json")
    assert sidecars_of(perf / "sub-1_my_scan_asl.nii.gz") == [own]


def test_two_of_a_level_are_taken_where_one_is_more_specific_and_refused_where_none_is(perf):
    image = perf / "sub-1_ses-2_acq-a_run-1_asl.nii.gz"
    general = put(perf, "sub-1_ses-2_asl.json", A=1, B=1)
    specific = put(perf, "sub-1_ses-2_run-1_asl.json", B=2)
    assert sidecars_of(image) == [general, specific]
    assert read_fields(image, None, {}).sidecar == {"A": 1, "B": 2}
    other = put(perf, "sub-1_ses-2_acq-a_asl.json", B=3)
    with pytest.raises(InputError, match="neither is more specific") as caught:
        sidecars_of(image)
    assert str(other) in str(caught.value)
    assert str(specific) in str(caught.value)
    assert "\n" not in str(caught.value)
    # the cure: name one after the image alone
    other.rename(perf / "sub-1_ses-2_acq-a_run-1_asl.json")
    assert read_fields(image, None, {}).sidecar == {"A": 1, "B": 3}


def test_files_are_named_as_the_user_names_his(perf, monkeypatch):
    root = perf.parents[2]
    put(root, "asl.json")
    put(perf, "sub-1_asl.json")
    monkeypatch.chdir(root)
    named = [path.as_posix() for path in sidecars_of(Path("sub-1/ses-2/perf/sub-1_ses-2_asl.nii.gz"))]
    assert named == ["asl.json", "sub-1/ses-2/perf/sub-1_asl.json"]
    monkeypatch.chdir(perf)
    named = [path.as_posix() for path in sidecars_of("sub-1_ses-2_asl.nii.gz")]
    assert named == ["../../../asl.json", "sub-1_asl.json"]


# -- a whole ASL series ---------------------------------------------------------------------------------------


@pytest.fixture
def inherited(perf):
    """A series whose sidecar and table lie in the dataset's root; read with overrides."""
    data, protocol = series((1.0, 2.0), pairs=2)
    write(perf, data, protocol)
    root, image = perf.parents[2], perf / "sub-1_ses-2_asl.nii.gz"
    shutil.move(perf / "sub-1_asl.nii.gz", image)
    shutil.move(perf / "sub-1_asl.json", root / "asl.json")
    shutil.move(perf / "sub-1_aslcontext.tsv", root / "aslcontext.tsv")
    return lambda **options: read_asl_sidecar(image, volumes=9, slices=SHAPE[2], **options)


def test_a_series_without_any_file_beside_it_is_read(inherited, perf):
    found = inherited().protocol
    assert found.volume_types == ("m0scan", *("control", "label") * 4)
    np.testing.assert_allclose(found.post_label_delay, [0, *[1.0] * 4, *[2.0] * 4])


def test_the_nearest_table_is_taken_whole(inherited, perf):
    image = perf / "sub-1_ses-2_asl.nii.gz"
    assert find_context(image) == perf.parents[2] / "aslcontext.tsv"
    near = perf / "sub-1_aslcontext.tsv"
    near.write_text("\n".join(["volume_type", "m0scan", *["label", "control"] * 4]))
    assert find_context(image) == near
    assert inherited().protocol.volume_types[:3] == ("m0scan", "label", "control")
    near.unlink()
    (perf.parents[2] / "aslcontext.tsv").unlink()
    with pytest.raises(InputError, match=r"perf/sub-1_ses-2_aslcontext\.tsv: cannot be read"):
        inherited()


def test_a_wrong_value_is_pointed_to_where_it_was_written(inherited, perf):
    root = perf.parents[2]
    put(perf, "sub-1_ses-2_asl.json", LabelingDuration=1800)
    with pytest.raises(InputError, match=r"perf/sub-1_ses-2_asl\.json: LabelingDuration: .*milliseconds.*correct it"):
        inherited()
    put(perf, "sub-1_ses-2_asl.json", LabelingEfficiency=0.8)
    put(root, "asl.json", **json.loads((root / "asl.json").read_text()) | {"PostLabelingDelay": 1800})
    with pytest.raises(InputError, match=rf"^{root}/asl\.json: PostLabelingDelay: .*milliseconds"):
        inherited()
    put(perf, "sub-1_ses-2_asl.json", PostLabelingDelay=1.8)  # corrected for this image alone
    np.testing.assert_allclose(inherited().protocol.post_label_delay, 1.8)


def test_a_missing_field_names_every_file_that_was_looked_in(inherited, perf):
    root = perf.parents[2]
    content = json.loads((root / "asl.json").read_text())
    del content["M0Type"]
    put(root, "asl.json", **content)
    put(perf, "sub-1_ses-2_asl.json")
    with pytest.raises(InputError, match=r"M0Type: missing; write it in one of them or give --set M0Type=value") as e:
        inherited()
    assert f"{root}/asl.json, {perf}/sub-1_ses-2_asl.json: " in str(e.value)
    inherited(overrides={"M0Type": "Included"})
    put(perf, "sub-1_ses-2_asl.json", M0Type="Included")
    assert inherited().m0_type == "Included"
