"""Docstrings of the public names: sections in numpydoc's syntax, complete and in order, so that pages can be made."""

import ast
import enum
import inspect
import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from docstring_parser import DocstringStyle, parse

from tests.docs.pages import ROOT

SECTIONS = ("Attributes", "Parameters", "Returns", "Yields", "Raises")
"""Those in use, in numpydoc's order. The parser takes any other heading for prose."""


def homes(stub):
    """Module of every name that a floor's stub lists: nothing is imported for it."""
    imports = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {f"{stub.parent.name}.{alias.name}": f"{stub.parent.name}.{n.module}" for n in imports for alias in n.names}


HOMES = {name: home for stub in sorted(ROOT.glob("*/__init__.pyi")) for name, home in homes(stub).items()}


def constant_docstring(module, name):
    """The string that follows the assignment."""
    body = ast.parse(Path(inspect.getsourcefile(module)).read_text(encoding="utf-8")).body
    for statement, after in pairwise(body):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if name in [getattr(target, "id", None) for target in targets] and isinstance(after, ast.Expr):
            return ast.literal_eval(after.value)
    return None


def fields_of(thing):
    """Names of the fields of a dataclass, named tuple or msgspec's struct; nothing for any other."""
    if is_dataclass(thing):
        return [field.name for field in fields(thing)]
    return list(getattr(thing, "_fields", getattr(thing, "__struct_fields__", ())))


def members(thing):
    """Public methods and properties of a class that has its own, with their names."""
    own = {} if issubclass(thing, enum.Enum) else vars(thing)
    held = fields_of(thing)
    return {
        name: member.__func__ if isinstance(member, classmethod) else member
        for name, member in own.items()
        if not name.startswith("_") and name not in held
    }


def check_form(text):
    first, *more = text.splitlines()
    assert first.endswith(".")
    assert not more or not more[0], "the first line is the summary"
    headings = re.findall(r"^(.+)\n-{3,}$", text, re.MULTILINE)
    assert set(headings) <= set(SECTIONS)
    assert headings == sorted(set(headings), key=SECTIONS.index)
    assert "(*" not in text, "a star before a word opens emphasis in reStructuredText: write (...)"


def check_sections(thing, text):
    """Raise where the sections do not say what the signature, the fields and the body say."""
    told = parse(text, style=DocstringStyle.NUMPYDOC)
    for each in [*told.params, *told.many_returns]:
        assert each.description, f"what is {each.args}?"
        assert each.type_name, f"of which type is {each.args}?"
    names = {kind: [each.arg_name for each in told.params if each.args[0] == kind] for kind in ("param", "attribute")}
    a_class = inspect.isclass(thing)
    held = fields_of(thing) if a_class else []
    assert names["attribute"] == held
    signature = inspect.signature(thing)
    untold = a_class and set(signature.parameters) == {"args", "kwargs"}  # made by others, as networks are
    made = held or untold or (a_class and issubclass(thing, enum.Enum))  # what the constructor takes the fields say
    assert names["param"] == ([] if made else [name for name in signature.parameters if name not in ("self", "cls")])
    assert bool(told.many_returns) == (not a_class and signature.return_annotation is not None)
    raises = not a_class and "raise InputError" in inspect.getsource(inspect.unwrap(thing))
    if raises or (thing.__name__ != "InputError" and "InputError" in text):
        assert "InputError" in [each.type_name for each in told.raises]


@pytest.mark.parametrize("whole", HOMES)
def test_a_docstring_is_complete(whole):
    name, module = whole.split(".")[1], import_module(HOMES[whole])
    thing = getattr(module, name)
    if not callable(thing):
        assert constant_docstring(module, name)
        return
    for each in [thing, *(members(thing).values() if inspect.isclass(thing) else ())]:
        text = inspect.getdoc(each)
        assert text, f"{each} has no docstring"
        check_form(text)
        if callable(each):
            check_sections(each, text)


def test_what_is_missing_is_found():
    def shifted(curve, by):
        """A curve, later.

        Parameters
        ----------
        curve : (t,) array [mmol/L]
            What is shifted.

        Returns
        -------
        (t,) array [mmol/L]
            Later.
        """

    with pytest.raises(AssertionError):
        check_sections(shifted, inspect.getdoc(shifted))
    whole = inspect.getdoc(shifted).replace("\nReturns", "by : float [s]\n    How much.\n\nReturns")
    check_sections(shifted, whole)
    for wrong in (whole.replace("Returns", "Gives"), whole.replace("(t,)", "(*s, t)"), whole.replace(".", "", 1)):
        with pytest.raises(AssertionError):
            check_form(wrong)
    for wrong in (whole.partition("\nReturns")[0], whole.replace(" : float [s]", ""), whole + "\nInputError: by < 0."):
        with pytest.raises(AssertionError):
            check_sections(shifted, wrong)
