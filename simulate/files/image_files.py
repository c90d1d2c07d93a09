"""The names of an image's files: x.nii and x.nii.gz are one file, a pair of x.hdr and x.img is two."""

from pathlib import Path

from simulate.files.atomic import AnyPath

_PARTNERS = {".hdr": ".img", ".img": ".hdr"}


def image_stem(path: AnyPath) -> str:
    """The name without what says how the image is stored: x of x.nii, x.nii.gz, x.hdr, x.img, x.hdr.gz, x.img.gz."""
    path = Path(path)
    name = path.name.removesuffix(".gz")
    return next((name.removesuffix(e) for e in (".nii", *_PARTNERS) if name.endswith(e)), name)


def image_files(path: AnyPath) -> list[Path]:
    """The files of which an image consists, given by any of its names: itself, or header and voxels of a pair.

    Of a pair either file may be compressed; a partner that is not there is named as it should be.
    """
    path = Path(path)
    compressed = ".gz" * (path.suffix == ".gz")
    ending = Path(path.name.removesuffix(".gz")).suffix
    if ending not in _PARTNERS:
        return [path]
    other = image_stem(path) + _PARTNERS[ending]
    names = (path.with_name(other + compressed), path.with_name(other + ("" if compressed else ".gz")))
    partner = next((name for name in names if name.is_file()), names[0])
    return [path, partner] if ending == ".hdr" else [partner, path]


def sidecar_path(image_path: AnyPath) -> Path:
    """The JSON file beside an image: x.nii.gz -> x.json."""
    return Path(image_path).with_name(image_stem(image_path) + ".json")
