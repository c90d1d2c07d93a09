"""Files appear whole or not at all, and an output folder is proved before long work."""

import hashlib

import pytest

from simulate.base.errors import InputError
from simulate.files.atomic import prepare_output_folder, sha256_of, temporary_sibling, write_atomically


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("content", ["Fläche\n", b"\x00\xff"])
def test_text_and_bytes_are_written_as_given(tmp_path, content):
    write_atomically(tmp_path / "x", content)
    assert (tmp_path / "x").read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def fail_half_way():
        with temporary_sibling(path) as temporary:
            temporary.write_text("half of the ne")
            raise failure

    with pytest.raises(failure):
        fail_half_way()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_the_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "map.nii.gz"
    with temporary_sibling(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.name.endswith("map.nii.gz")
    assert path.read_text() == "new"


def test_a_failure_before_anything_is_written_is_not_hidden(tmp_path):
    with pytest.raises(ZeroDivisionError), temporary_sibling(tmp_path / "x"):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_writing_into_a_missing_folder_or_over_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.txt: its folder does not exist; create the folder"):
        write_atomically(tmp_path / "no" / "x.txt", "")
    with pytest.raises(InputError, match=r"is a folder; give the name of a file"):
        write_atomically(tmp_path, "")


def test_an_output_folder_is_made_with_its_parents_and_left_empty(tmp_path):
    folder = prepare_output_folder(tmp_path / "a" / "b")
    assert prepare_output_folder(folder) == tmp_path / "a" / "b"
    assert names(folder) == []


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_file_in_the_way_of_the_output_folder_is_named(tmp_path, below):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"because .*taken is a file; give another output folder"):
        prepare_output_folder(tmp_path / "taken" / below)


def test_a_folder_that_takes_no_files_is_refused():
    # /proc refuses new entries even to root.
    with pytest.raises(InputError, match=r"/proc/self: cannot be written to .*; give a folder"):
        prepare_output_folder("/proc/self")


def test_sha256_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"tracer" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"tracer" * 100_000).hexdigest()
    with pytest.raises(InputError, match=r"gone: cannot be read \(No such file.*; check the path"):
        sha256_of(tmp_path / "gone")
