"""Which M0 image is meant for an ASL series: by its name, or by IntendedFor after BIDS.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/magnetic-resonance-imaging-data.html
IntendedFor holds BIDS URIs (bids::sub-1/perf/sub-1_asl.nii.gz) or, deprecated, paths from the subject's folder on.
"""

import os
from itertools import product
from pathlib import Path, PurePosixPath

from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath
from simulate.files.bids.fields import read_fields
from simulate.files.image_files import image_stem

_ENDINGS = (".nii.gz", ".nii", ".hdr", ".hdr.gz")


def find_m0(series: AnyPath) -> Path:
    """The M0 image that bears the name of an ASL series; else the only one, beside it or in fmap/ of its subject or
    session, whose IntendedFor names the series.

    Raises InputError where there is none or there are several, and where its namesake is intended for others alone.
    """
    series = Path(series)
    stem = image_stem(series)
    name = stem.removesuffix("asl") + "m0scan" if stem.endswith("_asl") else f"m0scan_{stem}"
    namesake = next((path for ending in _ENDINGS if (path := series.with_name(name + ending)).is_file()), None)
    others = [] if namesake is None else _intended_for(namesake)
    if namesake is not None and (not others or _any_names(others, series)):
        return namesake
    intended = [path for path in _m0_images(series) if _any_names(_intended_for(path), series)]
    if len(intended) == 1:
        return intended[0]
    if intended:
        problem = f"is Separate, and {' and '.join(map(str, intended))} are intended for it"
        raise InputError(series, "M0", problem, "give one of them as --m0")
    if namesake is not None:
        problem = f"of {namesake.name} names {', '.join(others)} and not this series"
        raise InputError(series, "IntendedFor", problem, "give --m0 m0scan.nii.gz, or add the series there")
    problem = f"is Separate, and there is neither {name}.nii.gz beside it nor an m0scan intended for it"
    raise InputError(series, "M0", problem, "give --m0 m0scan.nii.gz")


def _m0_images(series: Path) -> list[Path]:
    """Those in the folder of the series, and in fmap/ beside that folder; each once, however it is stored."""
    folders = (series.parent, Path(os.path.normpath(series.parent / os.pardir / "fmap")))
    found: dict[Path, Path] = {}
    for folder, ending in product(folders, _ENDINGS):
        for path in sorted(folder.glob(f"*m0scan{ending}")):
            found.setdefault(folder / image_stem(path), path)
    return list(found.values())


def _intended_for(image: Path) -> list[str]:
    """The entries of IntendedFor; none where it is not given."""
    fields = read_fields(image, None, {})
    value = fields.find("IntendedFor")[1]
    entries = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(entry, str) for entry in entries):
        cure = "correct it there or give --m0 m0scan.nii.gz"
        raise InputError(fields.sources["IntendedFor"], "IntendedFor", f"is {value!r}, no path or list of paths", cure)
    return entries


def _any_names(entries: list[str], series: Path) -> bool:
    """Whether one of the paths ends at the series, whichever folder it is counted from; a URI of another dataset does
    not, and .nii is the same image as .nii.gz."""
    place = Path(os.path.abspath(series)).with_name(image_stem(series)).parts
    for entry in entries:
        if entry.startswith("bids:"):
            dataset, _, entry = entry.removeprefix("bids:").partition(":")
            if dataset:
                continue
        path = PurePosixPath(entry.strip().lstrip("/"))
        wanted = (*path.parent.parts, image_stem(path))
        if path.name and place[-len(wanted) :] == wanted:
            return True
    return False
