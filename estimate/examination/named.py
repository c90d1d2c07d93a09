"""What the user called the things he gave: files and options on the command line, arguments in Python."""

from collections.abc import Mapping

Names = Mapping[str, object]


def called(names: Names, argument: str) -> str:
    """The name of an argument in an error: `t10.nii.gz` where the map came from that file, else `t10`."""
    return str(names.get(argument, argument))
