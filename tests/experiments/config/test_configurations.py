"""Configurations: printed and read back, both bounds of every key allowed, everything else refused with its cure.

The keys and their bounds come from the types, so a new configuration is tested by its name in `COMMANDS`.
"""

import json
import math
import re
import tomllib

import msgspec
import numpy as np
import pytest
from msgspec import inspect, structs

from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL
from experiments.cli import run
from experiments.config.phantoms import PhantomConfig
from experiments.config.simulate_asl import ASLConfig, LabellingConfig
from experiments.config.simulate_dce import DCEConfig, MeasurementConfig
from experiments.config.toml import as_toml, read_toml
from experiments.config.train import PatchesConfig, QTMnetASLConfig, QTMnetConfig, RhythmConfig
from simulate.base.errors import InputError
from simulate.base.typed import Config, as_record

COMMANDS = {
    DCEConfig: ["simulate", "dce"],
    ASLConfig: ["simulate", "asl"],
    QTMnetConfig: ["train", "qtmnet"],
    QTMnetASLConfig: ["train", "qtmnet-asl"],
}

every_kind = pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)


def keys(config, section=""):
    """(section, name, default, type) of every key."""
    for field in structs.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, Config):
            yield from keys(value, field.name)
        else:
            yield section, field.name, value, inspect.type_info(field.type)


def number(kind):
    """The type of a key's number, or of each in its list; None for other keys."""
    match kind:
        case inspect.Metadata(type=inner) | inspect.VarTupleType(item_type=inner):
            return number(inner)
        case inspect.TupleType(item_types=items):
            return number(items[0])
        case inspect.IntType() | inspect.FloatType():
            return kind
    return None


def numbers(kind):
    """(section, name, default, type of the number) of every key of numbers but that which names its few values."""
    for section, name, default, described in keys(kind()):
        found = number(described)
        if found is not None and (kind, name) != (ASLConfig, "MagneticFieldStrength"):
            yield section, name, default, found


def labels(kind):
    return [f"{section}.{name}".lstrip(".") for section, name, *_ in keys(kind())]


def shaped(value, default):
    """The value, or where the default is a list one of the same length with the value in every place."""
    return [value] * len(default) if isinstance(default, tuple) else value


def toml(sections):
    """TOML of section -> key -> value; the keys of section "" stand above all others."""
    return "\n".join(
        (f"[{section}]\n" if section else "") + "\n".join(f"{name} = {json.dumps(v)}" for name, v in values.items())
        for section, values in sections.items()
    )


def read(kind, text, folder):
    path = folder / "config.toml"
    path.write_text(text)
    return read_toml(path, kind)


def refused(kind, section, name, value, folder):
    """What is said where this key has this value, given as Python's or, a string, as TOML's."""
    written = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(InputError) as caught:
        read(kind, (f"[{section}]\n" if section else "") + f"{name} = {written}\n", folder)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'config.toml'}: {f'{section}.{name}'.lstrip('.')}: is ")
    assert "; give " in said
    return said


# -- printing -----------------------------------------------------------------------------------------------


@every_kind
def test_the_printed_configuration_is_read_back_as_the_defaults(kind, tmp_path, capsys):
    assert run([*COMMANDS[kind], "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert read(kind, printed, tmp_path) == kind() == read_toml(None, kind)
    given = tomllib.loads(printed)
    assert json.loads(json.dumps(as_record(kind()))) == {
        "": {name: value for name, value in given.items() if not isinstance(value, dict)},
        **{name: value for name, value in given.items() if isinstance(value, dict)},
    }
    lines = [line for line in printed.splitlines() if " = " in line]
    assert len(lines) == len(labels(kind))
    for line in lines:
        assert re.search(r"# (a number from|a whole number from|a list|one of|true to|2cxm, dp) ?", line), line


def test_units_are_printed():
    printed = as_toml(DCEConfig())
    for words in (
        "cell = [2.0, 2.0, 2.0]  # a list of three, each a number from 0.05 to 20 mm\n",
        "RepetitionTimeExcitation = 0.004  # a number from 0.0001 to 0.999 s\n",
        "seed = 0  # a whole number from 0 to 2_147_483_647\n",
        'name = "parker"  # one of parker, georgiou\n',
    ):
        assert words in printed


def test_a_configuration_that_is_no_default_is_printed_and_read_back(tmp_path):
    phantom = PhantomConfig(grade=2, capillaries="tanks-7", shape=(8, 9, 10), cell=(0.1, 0.2, 1 / 3))
    config = DCEConfig(seed=7, phantom=phantom, measurement=MeasurementConfig(snr=1e5 / 3))
    assert read(DCEConfig, as_toml(config), tmp_path) == config


# -- bounds -------------------------------------------------------------------------------------------------


@every_kind
def test_every_number_has_two_bounds_with_its_default_between(kind):
    for section, name, default, found in numbers(kind):
        for value in default if isinstance(default, tuple) else (default,):
            assert found.ge <= value <= found.le, f"{section}.{name}"


@every_kind
@pytest.mark.parametrize("bound", ["ge", "le"])
def test_both_bounds_of_every_key_are_allowed(kind, bound, tmp_path):
    """All at once, so that what has to go together does."""
    sections = {}
    for section, name, default, found in numbers(kind):
        sections.setdefault(section, {})[name] = shaped(getattr(found, bound), default)
    kept = as_record(read(kind, toml(sections), tmp_path))
    for section, values in sections.items():
        assert {name: kept[section][name] for name in values} == values


@every_kind
def test_what_lies_beyond_a_bound_is_refused(kind, tmp_path):
    for section, name, default, found in numbers(kind):
        whole = isinstance(found, inspect.IntType)
        below = found.ge - 1 if whole else math.nextafter(found.ge, -math.inf)
        above = found.le + 1 if whole else math.nextafter(found.le, math.inf)
        for value in (below, above, 10**30, -(10**400)):
            said = refused(kind, section, name, shaped(value, default), tmp_path)
            low, high = (f"{bound:_}" if whole else f"{bound:g}" for bound in (found.ge, found.le))
            assert f"{'a whole number' if whole else 'a number'} from {low} to {high}" in said


@every_kind
@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_what_is_not_finite_is_refused(kind, value, tmp_path):
    for section, name, default, _ in numbers(kind):
        written = f"[{', '.join([value] * len(default))}]" if isinstance(default, tuple) else value
        refused(kind, section, name, written, tmp_path)


# -- types --------------------------------------------------------------------------------------------------


@every_kind
def test_another_type_is_refused(kind, tmp_path):
    for section, name, default, described in keys(kind()):
        others = ['"3"', "2024-05-01", "true", "{ a = 1 }" if section else "[[]]"]
        if isinstance(number(described), inspect.IntType):
            others.append("20.0")
        if isinstance(default, bool):
            others = ['"true"', "1", "[true]"]
        for other in others:
            refused(kind, section, name, other, tmp_path)
            if isinstance(default, tuple):
                refused(kind, section, name, f"[{', '.join([other] * len(default))}]", tmp_path)


def test_whole_numbers_may_stand_for_others(tmp_path):
    found = read(ASLConfig, "[labelling]\nMagneticFieldStrength = 7\nPostLabelingDelay = [1, 2]\n", tmp_path)
    assert found.labelling == LabellingConfig(MagneticFieldStrength=7.0, PostLabelingDelay=(1.0, 2.0))
    assert isinstance(found.labelling.MagneticFieldStrength, float)


@pytest.mark.parametrize(
    ("kind", "section", "name", "value", "words"),
    [
        (DCEConfig, "phantom", "shape", [32, 32], "give a list of three, each a whole number from 8 to 1_024 cells"),
        (DCEConfig, "phantom", "cell", [2.0] * 4, "give a list of three, each a number from 0.05 to 20 mm"),
        (DCEConfig, "phantom", "shape", [], "is []; give a list of three"),
        (DCEConfig, "phantom", "capillaries", '"tanks-100"', "give 2cxm, dp or tanks-N with N up to 99"),
        (DCEConfig, "phantom", "capillaries", '"2cxm\\n"', "give 2cxm, dp or tanks-N with N up to 99"),
        (DCEConfig, "phantom", "grade", 1, "is 1; give one of 0, 2, 3, 4"),
        (ASLConfig, "labelling", "PostLabelingDelay", [], "give a list, not empty, each a number from 0 to 9.9 s"),
        (ASLConfig, "labelling", "type", '"vsasl"', "is 'vsasl'; give one of pcasl, casl, pasl"),
        (ASLConfig, "labelling", "MagneticFieldStrength", 2, "is 2.0; give one of 1.5, 3.0, 7.0"),
        (QTMnetConfig, "rhythm", "checkpoint", 70, "is 70; give a multiple of rhythm.log 50"),
        (QTMnetConfig, "patches", "side", 20, "is 20; give a multiple of 4 within phantoms.side"),
        (
            QTMnetConfig,
            "network",
            "aif_given",
            1,
            "is 1; give true to give it the arterial input, for comparison, or false",
        ),
    ],
)
def test_the_cure_says_what_to_give(kind, section, name, value, words, tmp_path):
    assert words in refused(kind, section, name, value, tmp_path)


# -- unknown names, no TOML ---------------------------------------------------------------------------------


@every_kind
def test_unknown_names_are_refused_on_every_level_with_those_known(kind, tmp_path):
    sections = {section: [n for s, n, *_ in keys(kind()) if s == section] for section, *_ in keys(kind())}
    for section, names in sections.items():
        with pytest.raises(InputError) as caught:
            read(kind, (f"[{section}]\n" if section else "") + "unheard_of = 3\n", tmp_path)
        label = f"{section}.unheard_of".lstrip(".")
        assert str(caught.value).endswith(f": {label}: is no known key; choose among {', '.join(names)}")
        if section:  # a table in a section
            with pytest.raises(InputError, match=rf": {label}: is no known key; choose among {names[0]}"):
                read(kind, f"[{section}.unheard_of]\na = 3\n", tmp_path)
            with pytest.raises(InputError, match=rf": {section}: is no known key; choose among seed"):
                read(kind, f"{section} = 3\n", tmp_path)
    with pytest.raises(InputError) as caught:
        read(kind, "[unheard_of]\n", tmp_path)
    known = ", ".join(f"[{section}]" for section in sections if section)
    assert str(caught.value).endswith(f": [unheard_of]: is no known section; choose among {known}")


@pytest.mark.parametrize("content", [b"seed = ", b"seed = 1\nseed = 2", b"\xff", b"seed = " + b"9" * 5000])
def test_what_is_no_toml_is_refused(content, tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not valid TOML"):
        read_toml(path, DCEConfig)


# -- in Python ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MeasurementConfig(snr=-1.0), "MeasurementConfig: snr: is -1.0; give a number from 0.1"),
        (lambda: PhantomConfig(shape=(8, 8)), r"PhantomConfig: shape: is \(8, 8\); give a list of three"),
        (lambda: structs.replace(MeasurementConfig(), coarsen=0), "coarsen: is 0; give a whole number from 1 to 64"),
        (lambda: MeasurementConfig(snr=object()), "MeasurementConfig: snr: is <object"),
        (lambda: MeasurementConfig(snr=np.ones(1)), "MeasurementConfig: snr: is array"),
        (lambda: RhythmConfig(log=3), "RhythmConfig: validate: is 500; give a multiple of rhythm.log 3"),
        (lambda: QTMnetConfig(patches=PatchesConfig(side=20)), "QTMnetConfig: patches.side: is 20"),
    ],
)
def test_no_wrong_configuration_can_be_made(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_numpy_numbers_and_lists_become_plain_ones():
    found = PhantomConfig(shape=[8, 8, 8], cell=np.array([1.0, 2.0, 3.0]), late_feed=np.float32(2))
    assert found == PhantomConfig(shape=(8, 8, 8), cell=(1.0, 2.0, 3.0), late_feed=2.0)
    assert json.loads(json.dumps(msgspec.to_builtins(found)))["cell"] == [1.0, 2.0, 3.0]


def test_a_configuration_does_not_change():
    with pytest.raises(AttributeError, match="immutable"):
        DCEConfig().seed = 3


# -- what outputs keep --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weights", "kind"), [(SHIPPED, QTMnetConfig), (SHIPPED_ASL, QTMnetASLConfig)])
def test_the_record_of_the_shipped_weights_is_a_configuration_still(weights, kind, tmp_path):
    """So that a run of before can be resumed: its record is compared with that of what is asked for now."""
    record = json.loads((weights.parent / "config.json").read_text())["config"]
    assert as_record(read(kind, toml(record), tmp_path)) == record
