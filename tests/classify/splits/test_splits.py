"""No patient on both sides, classes in proportion, inner folds inside, and a proof that fails where it should."""

import numpy as np
import pytest

from classify.splits.folds import Split, external_split, given_folds, grouped_folds, inner_split, nested_folds
from classify.splits.proof import prove_disjoint
from simulate.base.errors import InputError


def cohort(seed=1, patients=60):
    """Patients with one to six scans each; a third of them cases."""
    rng = np.random.default_rng(seed)
    scans = rng.integers(1, 7, patients)
    groups = np.repeat([f"UCSF-PDGM-{k:04d}" for k in range(patients)], scans)
    labels = np.repeat(np.arange(patients) % 3 == 0, scans).astype(int)
    shuffled = rng.permutation(len(groups))
    return labels[shuffled], groups[shuffled]


@pytest.mark.parametrize("folds", [2, 5])
def test_every_row_is_tested_once_and_no_patient_is_on_both_sides(folds):
    labels, groups = cohort()
    made = grouped_folds(labels, groups, folds=folds, seed=2)
    assert sorted(np.concatenate([split.test for split in made])) == list(range(len(labels)))
    for train, test in made:
        assert sorted([*train, *test]) == list(range(len(labels)))
        assert not set(groups[train]) & set(groups[test])
        assert labels[test].mean() == pytest.approx(labels.mean(), abs=0.12)


def test_the_seed_decides_and_nothing_else():
    labels, groups = cohort()
    first, again, other = (grouped_folds(labels, groups, folds=5, seed=seed) for seed in (3, 3, 4))
    assert all((a.test == b.test).all() for a, b in zip(first, again, strict=True))
    assert any(len(a.test) != len(b.test) or (a.test != b.test).any() for a, b in zip(first, other, strict=True))


def test_inner_folds_lie_within_the_outer_training_rows():
    labels, groups = cohort()
    for outer, inner in nested_folds(labels, groups, outer=4, inner=3, seed=5):
        assert sorted(np.concatenate([split.test for split in inner])) == sorted(outer.train)
        for split in inner:
            assert sorted([*split.train, *split.test]) == sorted(outer.train)
            assert not set(groups[split.train]) & set(groups[split.test])
            assert not set(groups[split.test]) & set(groups[outer.test])


def test_early_stopping_sees_no_row_of_the_test():
    labels, groups = cohort()
    outer = grouped_folds(labels, groups, folds=5, seed=6)[2]
    inner = inner_split(outer, labels, groups, parts=4, seed=7)
    assert sorted([*inner.train, *inner.test]) == sorted(outer.train)
    assert not set(groups[inner.train]) & set(groups[inner.test])
    assert len(inner.test) / len(outer.train) == pytest.approx(0.25, abs=0.08)


def test_labels_that_change_within_a_patient_are_kept_together():
    """As in response to treatment: rows of a patient have several classes."""
    _, groups = cohort()
    labels = np.random.default_rng(8).integers(0, 4, len(groups))
    for split in grouped_folds(labels, groups, folds=5, seed=9):
        assert not set(groups[split.train]) & set(groups[split.test])
        assert set(labels[split.test]) == {0, 1, 2, 3}


def test_a_held_out_site_is_nowhere_in_the_training():
    sites, patients = np.array(list("aabbcc")), np.arange(6)
    train, test = external_split(sites, patients, held_out="b")
    assert (train.tolist(), test.tolist()) == ([0, 1, 4, 5], [2, 3])
    assert external_split(sites, patients, held_out=["a", "b"]).train.tolist() == [4, 5]


def test_folds_of_a_table_are_taken_as_they_are():
    made = given_folds([1, 1, 2, 3], ["p", "p", "q", "r"])
    assert [split.test.tolist() for split in made] == [[0, 1], [2], [3]]
    assert made[0].train.tolist() == [2, 3]


def test_proof_counts_patients_and_follow_ups_and_shows_no_name():
    labels, groups = cohort()
    made = grouped_folds(labels, groups, folds=5, seed=10)
    proof = prove_disjoint(made, groups, checksums=np.arange(len(groups)))
    assert proof.follow_ups == (len(groups) - 60,) * 5
    assert proof.images == len(groups)
    for train, test in zip(proof.train, proof.test, strict=True):
        assert not set(train) & set(test)
        assert len(train) + len(test) == 60
    text = str(proof)
    assert "UCSF" not in text + repr(proof)
    assert text.count("0 in both") == 5
    assert "images not compared" in str(prove_disjoint(made, groups))


def test_proof_does_not_depend_on_the_order_of_the_rows():
    labels, groups = cohort()
    split = grouped_folds(labels, groups, folds=5, seed=11)[0]
    back = np.arange(len(groups))[::-1]
    turned = Split(len(groups) - 1 - split.train, len(groups) - 1 - split.test)
    assert prove_disjoint([split], groups) == prove_disjoint([turned], groups[back])


def test_leaks_are_found():
    """Folds by scan instead of by patient, and one image under two names."""
    labels, groups = cohort()
    by_scan = grouped_folds(labels, np.arange(len(groups)), folds=5, seed=12)
    with pytest.raises(InputError, match=r"split 1: patient UCSF-PDGM-\d+ is on both sides"):
        prove_disjoint(by_scan, groups)
    by_patient = grouped_folds(labels, groups, folds=5, seed=12)
    images = np.arange(len(groups))
    images[by_patient[2].test[0]] = images[by_patient[2].train[0]]
    with pytest.raises(InputError, match=r"image \d+ is on both sides"):
        prove_disjoint(by_patient, groups, checksums=images)


LABELS, GROUPS = np.array([0, 0, 1, 1, 1]), np.array(list("aabcd"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grouped_folds(LABELS, GROUPS, folds=2, seed=1), "have 1 patients of class 0 for 2 folds"),
        (lambda: grouped_folds(LABELS, GROUPS, folds=1, seed=1), "two and more"),
        (lambda: grouped_folds(LABELS, GROUPS[:3], folds=2, seed=1), "one of each per row"),
        (lambda: grouped_folds(LABELS * np.nan, GROUPS, folds=2, seed=1), "labels: are not known"),
        (lambda: given_folds([1, 2, 2, 2, 2], GROUPS), "patient a is in two folds"),
        (lambda: given_folds([1, 1, 1, 1, 1], GROUPS), "is 1 in all rows"),
        (lambda: external_split(list("xyyyy"), GROUPS, held_out="x"), "patient a is in two sites"),
        (lambda: external_split(list("xxyyy"), GROUPS, held_out="z"), "z is no site; give one of x, y"),
        (lambda: external_split(list("xxyyy"), GROUPS, held_out=["x", "y"]), "holds every site"),
        (lambda: prove_disjoint([], GROUPS), "are none"),
        (
            lambda: prove_disjoint([Split(np.arange(2), np.arange(2, 5))], GROUPS, checksums=np.arange(3)),
            "one per row",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
