"""OSIPI's reference rows for population inputs, T1 and concentration, all within OSIPI's tolerances."""

import csv
from collections import defaultdict

import jax.numpy as jnp
import numpy as np
import pytest

from estimate.signal.vfa import vfa_t1
from simulate.base.types import DCEProtocol
from simulate.inputs.population import georgiou_aif, mcgrath_aif, parker_aif
from simulate.scanner.spgr import baseline_scale, spgr_concentration


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{k.strip(): v for k, v in row.items()} for row in csv.DictReader(file)]


def numbers(cell):
    return np.array(cell.split(), float)


POPULATION = [
    ("ParkerAIF_ref.csv", parker_aif, 60.0, 1e-4, 0.01, 1931),
    ("ParkerAIF_ref_with_delay.csv", parker_aif, 60.0, 0.1, 0.1, 1800),
    ("GeorgiouAIF_ref.csv", georgiou_aif, 60.0, 1e-4, 0.01, 4271),
    ("preclinicalAIF_ref.csv", mcgrath_aif, 1.0, 1e-4, 0.01, 1870),
    ("preclinicalAIF_ref_delay.csv", mcgrath_aif, 1.0, 0.1, 0.1, 4800),
]


@pytest.mark.parametrize(("name", "curve", "unit", "atol", "rtol", "expected"), POPULATION)
def test_population_input(shared_data, name, curve, unit, atol, rtol, expected):
    groups = defaultdict(list)
    for row in rows_of(shared_data / "osipi" / "population_aif" / name):
        groups[float(row.get("delay", 0.0))].append((float(row["time"]), float(row["Cb"])))
    checked, worst = 0, 0.0
    for delay, group in groups.items():
        times, blood = np.array(group).T
        ours = curve(jnp.asarray(times * unit), haematocrit=0.0, onset=delay)
        np.testing.assert_allclose(ours, blood, atol=atol, rtol=rtol)
        checked, worst = checked + len(group), max(worst, float(np.max(np.abs(ours - blood))))
    print(f"\n{name}: {checked} rows, largest difference {worst:.2g} mmol/L")
    assert checked == expected


def check_r1(name, t1, reference_r1):
    np.testing.assert_allclose(1 / np.asarray(t1), reference_r1, atol=0.05, rtol=0.05)
    print(f"\n{name}: {len(reference_r1)} rows, largest difference {np.abs(1 / t1 - reference_r1).max():.2g} /s")


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_t1_of_brain(shared_data, method):
    rows = rows_of(shared_data / "osipi" / "t1_mapping" / "t1_brain_data.csv")
    signal = jnp.array([numbers(row["s"]) for row in rows])
    angles, tr = numbers(rows[0]["FA"]), numbers(rows[0]["TR"])
    assert all(np.array_equal(numbers(row["FA"]), angles) for row in rows)
    result = vfa_t1(signal, angles, float(tr[0]), method=method)
    check_r1(f"brain, {method}", result.t1, np.array([float(row["R1"]) for row in rows]))
    assert len(rows) == 76


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_t1_of_prostate(shared_data, method, corrected):
    rows = rows_of(shared_data / "osipi" / "t1_mapping" / "t1_prostate_data.csv")
    signal = jnp.array([numbers(row["s"]) for row in rows])
    angles, tr = numbers(rows[0]["FA"]), numbers(rows[0]["TR"]) / 1000  # ms there
    assert all(np.array_equal(numbers(row["FA"]), angles) for row in rows)
    b1 = jnp.array([float(row["B1"]) / 100 for row in rows]) if corrected else 1.0  # per cent there
    result = vfa_t1(signal, angles, float(tr[0]), b1=b1, method=method)
    column = f"T1 {method}"
    reference = np.array([float(row[column + " B1cor" * corrected]) / 1000 for row in rows])
    kept = np.ones(len(rows), bool)
    if corrected:
        # T1 of small flip angles goes as 1/b1². One reference value (linear, row 4) contradicts its own
        # uncorrected neighbour by 13 % for b1 = 1.005; OSIPI's tests do not use the B1-corrected columns.
        uncorrected = np.array([float(row[column]) / 1000 for row in rows])
        kept = np.abs(reference * np.asarray(b1) ** 2 / uncorrected - 1) < 0.1
    check_r1(f"prostate, {column}" + " B1cor" * corrected, result.t1[kept], 1 / reference[kept])
    assert kept.sum() == (49 if corrected and method == "linear" else 50)


def test_signal_to_concentration(shared_data):
    rows = rows_of(shared_data / "osipi" / "si_to_conc" / "SI2Conc_data.csv")
    worst = 0.0
    for row in rows:
        signal, reference = numbers(row["s"]), numbers(row["conc"])
        count = int(row["numbaselinepts"])
        protocol = DCEProtocol(jnp.arange(signal.size) * 1.0, float(row["TR"]), float(row["FA"]), 0.0, float(row["r1"]))
        # OSIPI leaves out point 0, of the baseline as well
        before = DCEProtocol(protocol.times[1:], *list(vars(protocol).values())[1:6], baseline=count - 1)
        t10 = float(row["T1base"])
        s0 = baseline_scale(jnp.asarray(signal[1:]), before, t10=t10)
        ours = spgr_concentration(jnp.asarray(signal), protocol, t10=t10, s0=s0)
        np.testing.assert_allclose(ours[1:], reference[1:], atol=1e-5, rtol=1e-5)
        worst = max(worst, float(np.max(np.abs(ours[1:] - reference[1:]))))
    print(f"\nsignal to concentration: {len(rows)} rows, largest difference {worst:.2g} mmol/L")
    assert len(rows) == 5
