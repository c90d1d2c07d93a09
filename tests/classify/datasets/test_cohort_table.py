"""cohort.csv is read strictly: a wrong cell is named with its row, column and cure; what is unknown stays unknown."""

import h5py
import numpy as np
import pytest

from classify.datasets.cohort import classes_of, numbers_of, read_cohort
from simulate.base.errors import InputError
from simulate.files.nifti import write_image


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path / "a.nii.gz", np.ones((3, 3, 3)), np.eye(4))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["dce/signal"] = np.ones(3)
    return tmp_path


def table(folder, *lines):
    (folder / "cohort.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "cohort.csv"


def test_rows_become_subjects(folder):
    path = table(
        folder, "id,group,timepoint,t1,dce,label,time,event,age,sex",
        "p1,A,0,a.nii.gz,b.h5::/dce/signal,4,120,1,61.5,F", "p1,A,1,,b.h5::/dce/signal,4,,,Not Available,F",
        "p2,,,a.nii.gz,,2,300,0,40,M",
    )  # fmt: skip
    cohort = read_cohort(path, need=("label",))
    first, again, other = cohort.subjects
    assert (first.id, first.group, first.timepoint, first.label) == ("p1", "A", "0", "4")
    assert first.images["dce"].dataset == "/dce/signal"
    assert first.images["dce"].beside("vfa").dataset == "/dce/vfa"
    assert other.group == "p2"
    assert set(again.images) == {"dce"}
    np.testing.assert_equal(numbers_of(cohort.subjects, "age"), [61.5, np.nan, 40])
    assert [each.id for each in cohort.with_images("t1", "dce")] == ["p1"]
    time, event, who = cohort.survival()
    np.testing.assert_array_equal(time, [120, 300])
    np.testing.assert_array_equal(event, [True, False])
    assert [each.id for each in who] == ["p1", "p2"]
    np.testing.assert_array_equal(classes_of(cohort.subjects, {"2": 0, "4": 1}, path), [1, 1, 0])


def test_a_spreadsheets_table_is_read_alike(folder):
    (folder / "cohort.csv").write_bytes("﻿id;label;t1\r\np1;4;a.nii.gz\r\n\r\n".encode())
    (subject,) = read_cohort(folder / "cohort.csv").subjects
    assert (subject.id, subject.label, set(subject.images)) == ("p1", "4", {"t1"})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id,t1", "p1,gone.nii.gz"], "row 2: t1: names gone.nii.gz, which is not there"),
        (["id,t1", "p1,b.h5::/images/t1"], "row 2: t1: names /images/t1, which b.h5 does not hold"),
        (["id,t1", "p1,a.nii.gz::/t1"], "a.nii.gz: is not a complete HDF5 file"),
        (["id,label", "p1,4", "p1,2"], "id: p1 at timepoint 0 stands in rows 2 and 3"),
        (["name,label", "p1,4"], "id: is no column; there are name, label"),
        (["id,grade", "p1,4"], "label: is no column; there are id, grade"),
        (["id,label"], "has no rows"),
        (["id,label,time,event", "p1,4,soon,1"], "row 2: time: is 'soon'; give days"),
        (["id,label,time,event", "p1,4,-3,1"], "row 2: time: is '-3'; give days"),
        (["id,label,time,event", "p1,4,100,dead"], "row 2: event: is 'dead'; give 1"),
        (["id,label,time,event", "p1,4,,1"], "row 2: time: is empty, and event is 1"),
        (["id,label", ",4"], "row 2: id: is empty"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(folder, lines, said):
    with pytest.raises(InputError) as refused:
        read_cohort(table(folder, *lines), need=("label",) if "label" in lines[0] or "grade" in lines[0] else ())
    assert said in str(refused.value)


def test_an_event_is_never_assumed(folder):
    cohort = read_cohort(table(folder, "id,label,time", "p1,4,100"))
    with pytest.raises(InputError, match="event: is not there, or empty in every row that has a time"):
        cohort.survival()


def test_what_nobody_has_is_named(folder):
    cohort = read_cohort(table(folder, "id,t1,label", "p1,a.nii.gz,x"))
    with pytest.raises(InputError, match=r"dce: is an image of no row; .* there are t1"):
        cohort.with_images("dce")
    with pytest.raises(InputError, match="label: is 'x' for p1; choose among 2, 4"):
        classes_of(cohort.subjects, {"2": 0, "4": 1}, cohort.path)
    with pytest.raises(InputError, match="cohort: p1: label2: is 'x'; give a number"):
        cohort.subjects[0].__class__(**(vars(cohort.subjects[0]) | {"clinical": {"label2": "x"}})).number("label2")


def test_no_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_cohort(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        read_cohort(tmp_path / "binary.csv")
