"""Configurations as types: every key with its default, unit and range; one that is wrong cannot be made."""

from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, structs

from simulate.base.errors import InputError

Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]

_COUNTS = {2: "two", 3: "three"}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a configuration, or all of one, whose fields are keys and sections.

    A key of numbers is `name: Annotated[float, Meta(ge=low, le=high, description=unit)] = default`, with both bounds
    allowed. Lists are tuples; what no bound can say, a description says alone. A subclass sees in `__post_init__` to
    what its keys have to be to each other.

    Raises InputError for a value that its type does not allow, in Python as from a file.
    """

    def __post_init__(self) -> None:
        for field in structs.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, Config):
                structs.force_setattr(self, field.name, self._allowed(field, value))

    def _allowed(self, field: structs.FieldInfo, value: Any) -> Any:
        """The value as its type: lists become tuples, whole numbers floats, NumPy's numbers Python's."""
        try:
            plain = msgspec.to_builtins(value, enc_hook=lambda array: array.tolist())
            return msgspec.convert(plain, field.type)
        except (msgspec.ValidationError, AttributeError) as error:
            where = type(self).__name__
            raise InputError(where, field.name, f"is {value!r}", f"give {words(field.type)}") from error


def words(kind: Any) -> str:
    """What a key of this type may hold, with its unit."""
    bare, meta = (kind.__origin__, kind.__metadata__[0]) if get_origin(kind) is Annotated else (kind, Meta())
    said = meta.description or ""
    if get_origin(bare) is Literal:
        return f"one of {', '.join(map(str, get_args(bare)))}"
    if get_origin(bare) is tuple:
        each, *more = get_args(bare)
        some = ", not empty" if meta.min_length else ""
        length = some if more == [...] else f" of {_COUNTS[1 + len(more)]}"
        return f"a list{length}, each {words(each)}"
    if bare is bool:
        return f"true to {said}, or false"
    if meta.ge is None:
        return said
    low, high = (f"{bound:_}" if bare is int else f"{bound:g}" for bound in (meta.ge, meta.le))
    return f"{'a whole number' if bare is int else 'a number'} from {low} to {high} {said}".rstrip()


def as_record(config: Config) -> dict[str, dict[str, Any]]:
    """What outputs keep of a configuration, ready for JSON: section -> key -> value; above all sections stands ""."""
    plain = msgspec.json.decode(msgspec.json.encode(config))
    sections = {name: value for name, value in plain.items() if isinstance(value, dict)}
    return {"": {name: value for name, value in plain.items() if name not in sections}, **sections}
