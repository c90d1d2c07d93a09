"""One phantom, one blood flow, two tracers: what spin labelling's absolute scale does for QTMnet, and how well it
measures flow itself.

Tissue curves alone leave the input's scale open. Contrast and labelled water go through the same vessels of the same
phantom; CBF from the latter fixes the scale of the former, beside the population's scale and the input's true area.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from estimate.arterial.scale import CBFMap, InputScale, asl_scale, population_scale
from estimate.asl.differences import differences
from estimate.asl.multi_delay import fit_asl
from estimate.asl.network import network_maps
from estimate.asl.white_paper import white_paper_cbf
from estimate.qtmnet.contrast.inference import answer
from estimate.qtmnet.contrast.maps import parameters, with_scale_error
from estimate.qtmnet.contrast.targets import SCORED
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL, Trained, load_trained
from estimate.signal.concentration import concentration_from_signal
from experiments.report.tables import write_table
from simulate.banks.contrast import LONGEST, inlet_curve
from simulate.banks.phantoms import LATE
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical
from simulate.examinations.asl import ASLSimulation, simulate_asl
from simulate.examinations.dce import PROTON_DENSITY, simulate_dce
from simulate.examinations.perfused import PerfusedPhantom, vascularise
from simulate.files.atomic import prepare_output_folder, sha256_of, temporary_sibling, write_atomically
from simulate.files.pieces import key, run_pieces
from simulate.inputs.random import draw_inlet
from simulate.labelling.constants import PARTITION_COEFFICIENT
from simulate.labelling.series import asl_protocol
from simulate.phantoms.priors import Region
from simulate.phantoms.tumour import tumour_phantom

PARAMETERS = ("Fp", "PS", "vp", "ve")
REGIONS = {"tumour rim": Region.RIM, "grey matter": Region.GREY_MATTER, "white matter": Region.WHITE_MATTER}
SCALES = ("population", "asl, white paper", "asl, multi-delay", "asl, QTMnet", "asl, true CBF", "true area")
_FLOW_OF = {"asl, white paper": 0, "asl, multi-delay": 1, "asl, QTMnet": 3}
"""Which of `FLOWS` gives a scale."""

FLOWS = ("white paper, PLD 2 s", "multi-delay, recommended", "multi-delay, gkm", "QTMnet")
SIZES = {"small": 4, "paper": 60}
HAEMATOCRIT = 0.42
TERMINALS = 2000
DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
SIGMA = 0.002
"""Noise of an ASL volume over M0."""
ONSET, SPACING, FRAMES = 20.0, 2.0, 120

Progress = Callable[[int, int], None]


class Row(NamedTuple):
    """What one way of scaling, or of measuring flow, does to one parameter in one region: means over phantoms of the
    median |ln(estimate/truth)| and of the median ln(estimate/truth), of the share of truths in QTMnet's 90 % intervals
    (NaN of other estimates), and how many phantoms."""

    way: str
    region: str
    parameter: str
    error: float
    bias: float
    coverage: float
    phantoms: int


def run_joint(out: Path, *, size: str = "small", seed: int = 0, progress: Progress | None = None) -> list[Row]:
    """Simulate and estimate; every phantom is kept as one piece, so a killed run goes on where it stopped."""
    trained = load_trained()

    def work(index: int, path: Path) -> None:
        write_atomically(path, json.dumps(_one(index, seed, trained)) + "\n")

    made = key({"seed": seed, "networks": versions()}, __name__)
    names = [f"phantom-{i:03d}-{made}.json" for i in range(SIZES[size])]
    folder = prepare_output_folder(out) / "pieces"
    files = run_pieces(folder, names, work, config={"seed": seed}, code=(), progress=progress)
    return _rows([json.loads(path.read_text()) for path in files])


def versions() -> dict[str, str]:
    """Checksums of the networks' weights."""
    return {"QTMnet": sha256_of(SHIPPED), "QTMnet-ASL": sha256_of(SHIPPED_ASL)}


def _one(index: int, seed: int, trained: Trained) -> dict[str, Any]:
    """way -> region -> parameter -> (median |error|, median error, coverage if there is an interval)."""
    draw, grow, dce, asl, inlet = jax.random.split(jax.random.fold_in(jax.random.key(seed), index), 5)
    mixing = float(np.random.default_rng([seed, index]).choice([0.0, 0.25, 0.5, 1.0]))
    late = float(np.random.default_rng([seed, index, 1]).uniform(*LATE["water"]))
    phantom = tumour_phantom(draw, shape=(16, 16, 16), grade=4, mixing=mixing, late_feed=late)
    perfused = vascularise(grow, phantom, terminals=TERMINALS, haematocrit=HAEMATOCRIT)
    labelled = simulate_asl(asl, perfused, asl_protocol(DELAYS, t1_blood=1.65), sigma=SIGMA)
    flows = _flows(labelled)
    truth = dict(labelled.truth.values)
    return _contrast(trained, perfused, flows, labelled, dce, inlet) | {
        way: _against(
            perfused,
            {"CBF": flow.cbf} | ({} if flow.att is None else {"ATT": flow.att}),
            truth,
            _intervals_of(way, flow),
        )
        for way, flow in flows.items()
    }


class Measured(NamedTuple):
    """cbf (*space) [mL/100 g/min] and att [s], where it is measured; where the method itself calls its answer sound;
    and standard errors of CBF and ATT, where it gives them."""

    cbf: np.ndarray
    att: np.ndarray | None
    sound: np.ndarray
    stderr: dict[str, np.ndarray]

    def values(self) -> dict[str, np.ndarray]:
        """What is measured, by name."""
        return {"CBF": self.cbf} | ({} if self.att is None else {"ATT": self.att})


def _intervals_of(way: str, measured: Measured) -> dict[str, np.ndarray] | None:
    """Standard errors that make intervals of a logarithm: QTMnet's."""
    return measured.stderr if way == FLOWS[3] else None


def _flows(labelled: ASLSimulation) -> dict[str, Measured]:
    """By way of measuring."""
    protocol = labelled.protocol
    found = differences(np.asarray(labelled.data), protocol)
    common: dict[str, Any] = {"labelling": protocol.labelling, "label_efficiency": float(protocol.label_efficiency)}
    k = int(np.argmin(np.abs(found.post_label_delay - 2.0)))
    single = white_paper_cbf(
        found.value[..., k], PROTON_DENSITY, label_duration=found.label_duration[k],
        post_label_delay=found.post_label_delay[k], partition_coefficient=PARTITION_COEFFICIENT,
        t1_blood=protocol.t1_blood, **common,
    )  # fmt: skip
    ways = {FLOWS[0]: Measured(np.asarray(single), None, np.asarray(single) > 0, {})}
    for way, model in zip(FLOWS[1:3], ("recommended", "gkm"), strict=True):
        fit = fit_asl(
            found.value, found.label_duration + found.post_label_delay, m0=PROTON_DENSITY,
            label_duration=found.label_duration, t1_blood=float(protocol.t1_blood), model=model,
            repeats=found.repeats, **common,
        )  # fmt: skip
        ways[way] = Measured(
            np.asarray(fit.cbf), np.asarray(fit.att), np.asarray(fit.status) == 0,
            {name: np.asarray(fit.stderr[name]) for name in ("CBF", "ATT")},
        )  # fmt: skip
    shape = found.value.shape[:3]
    where = np.nonzero(np.ones(shape, bool))
    maps = network_maps(
        found, np.full(len(where[0]), PROTON_DENSITY), where, late=np.zeros(len(where[0])),
        label_efficiency=float(protocol.label_efficiency), partition_coefficient=PARTITION_COEFFICIENT,
        t1_blood=float(protocol.t1_blood),
    )  # fmt: skip
    cbf, att = (
        {end: np.asarray(to_clinical(name, maps.values[f"{name}{end}"])).reshape(shape) for end in ("", "_stderr")}
        for name in ("CBF", "ATT")
    )
    stderr = {"CBF": cbf["_stderr"], "ATT": att["_stderr"]}
    ways[FLOWS[3]] = Measured(cbf[""], att[""], maps.status.reshape(shape) == 0, stderr)
    return ways


def _contrast(
    trained: Trained,
    perfused: PerfusedPhantom,
    flows: dict[str, Measured],
    labelled: ASLSimulation,
    key: Any,
    inlet: Any,
) -> dict[str, Any]:
    """Errors of QTMnet's parameters for every source of the scale."""
    drawn = draw_inlet(inlet, jnp.arange(LONGEST + 1))
    knots = np.arange(0.0, LONGEST - 2, 0.25)
    aif = np.asarray(inlet_curve(drawn.curve, jnp.asarray(knots)))
    protocol = DCEProtocol(
        times=SPACING * np.arange(FRAMES), repetition_time=0.004, flip_angle=20.0, baseline=int(ONSET // SPACING),
        frame_duration=SPACING,
    )  # fmt: skip
    measured = simulate_dce(key, perfused, protocol, aif, aif_times=knots + ONSET, snr=50.0)
    concentration, _ = concentration_from_signal(measured.series, t10=perfused.t10)
    shape = perfused.blood.shape
    where = np.nonzero(np.ones(shape, bool))
    flat = np.nan_to_num(np.asarray(concentration.data, np.float32)[where])
    found = answer(trained, flat, np.asarray(protocol.times), SPACING, where=where, shape=shape)
    plasma = np.exp(found.value[:, SCORED.index("Fp")]) * found.level
    measured_flows = {way: flows[FLOWS[k]] for way, k in _FLOW_OF.items()}
    cbf = {way: CBFMap(np.where(m.sound, m.cbf, np.nan), m.stderr.get("CBF")) for way, m in measured_flows.items()}
    cbf["asl, true CBF"] = CBFMap(labelled.truth["CBF"], np.zeros(shape))
    own = trained.calibration.common_error["Fp"]
    scales = {
        "population": population_scale(),
        "true area": InputScale(float(drawn.area), 0.0, "known"),
        **{way: asl_scale(plasma, flow.at(where), haematocrit=HAEMATOCRIT, own_error=own) for way, flow in cbf.items()},
    }
    truth = dict(measured.truth.values)
    out = {}
    for way in SCALES:
        values = with_scale_error(parameters(found, scales[way], trained.widening), scales[way])
        maps, stderr = (
            {n: np.asarray(to_clinical(n, values[f"{n}{end}"])).reshape(shape) for n in PARAMETERS}
            for end in ("", "_stderr")
        )
        out[way] = _against(perfused, maps, truth, stderr)
        error = float(np.log(scales[way].area / float(drawn.area)))
        out[way]["all"] = {"scale": [abs(error), error]}
    return out


def _against(
    perfused: PerfusedPhantom, found: dict[str, Any], truth: dict[str, Any], stderr: dict[str, Any] | None = None
) -> dict[str, Any]:
    """region -> parameter -> [median |error|, median error], with `stderr` also coverage: logarithmic, but ATT's in s.

    stderr : of QTMnet; NaN where it states no interval.
    """
    region = np.asarray(perfused.phantom.region)
    out: dict[str, Any] = {}
    for name, which in REGIONS.items():
        inside = (region == which) & (np.asarray(truth["Fp" if "Fp" in truth else "CBF"]) > 0)
        if inside.sum() < 15:
            continue
        out[name] = {}
        for parameter, values in found.items():
            estimate, true = np.asarray(values)[inside], np.asarray(truth[parameter])[inside]
            if parameter == "ATT":
                error = estimate - true
            else:
                # a flow below zero is as wrong as can be, and counts so
                error = np.log(np.maximum(estimate, 1e-3 * np.median(true)) / np.where(true > 0, true, np.nan))
            out[name][parameter] = [float(np.nanmedian(np.abs(error))), float(np.nanmedian(error))]
            if stderr is not None:
                sigma = stderr[parameter][inside] / (1.0 if parameter == "ATT" else estimate)
                stated = np.isfinite(sigma) & np.isfinite(error)
                if stated.any():
                    out[name][parameter].append(float(np.mean((np.abs(error) <= TO_ONE_SIGMA * sigma)[stated])))
    return out


def _rows(pieces: list[dict[str, Any]]) -> list[Row]:
    rows = []
    for way in (*SCALES, *FLOWS):
        for region in (*REGIONS, "all"):
            for parameter in (*PARAMETERS, "CBF", "ATT", "scale"):
                both = [p[way][region][parameter] for p in pieces if parameter in p[way].get(region, {})]
                if both:
                    error, bias = np.mean([b[:2] for b in both], axis=0)
                    covered = [b[2] for b in both if len(b) > 2]
                    coverage = float(np.mean(covered)) if covered else float("nan")
                    rows.append(Row(way, region, parameter, float(error), float(bias), coverage, len(both)))
    return rows


def findings(rows: Sequence[Row]) -> list[str]:
    """Sentences written from the numbers."""
    table = {(row.way, row.region, row.parameter): row for row in rows}
    sentences = []
    known = [way for way in SCALES if (way, "tumour rim", "Fp") in table]
    if known:
        words = "; ".join(f"{way} {table[way, 'tumour rim', 'Fp'].error:.2f}" for way in known)
        sentences.append(f"QTMnet's median |log error| of Fp in the tumour rim, by the source of the scale: {words}.")
        words = "; ".join(f"{way} {table[way, 'all', 'scale'].error:.2f}" for way in known)
        sentences.append(f"The scale itself is off by |log|: {words}.")
    for region in REGIONS:
        ways = [way for way in FLOWS if (way, region, "CBF") in table]
        words = "; ".join(
            f"{way} {table[way, region, 'CBF'].error:.2f} (bias {table[way, region, 'CBF'].bias:+.2f})" for way in ways
        )
        if words:
            sentences.append(f"CBF in {region}, median |log error|: {words}.")
        ways = [way for way in FLOWS if (way, region, "ATT") in table]
        words = "; ".join(f"{way} {table[way, region, 'ATT'].error:.2f} s" for way in ways)
        if words:
            sentences.append(f"ATT in {region}, median |error|: {words}.")
        stated = [table[FLOWS[3], region, name] for name in ("CBF", "ATT") if (FLOWS[3], region, name) in table]
        words = " and ".join(f"{100 * r.coverage:.0f} % of {r.parameter}" for r in stated if np.isfinite(r.coverage))
        if words:
            sentences.append(f"In {region} QTMnet's 90 % intervals cover {words}.")
    return sentences


def write_joint(out: Path, rows: Sequence[Row]) -> None:
    """table.csv, table.md, summary.json and joint.png."""
    head = ["way", "region", "parameter", "median |log error| (ATT: s)", "bias", "coverage", "phantoms"]
    cells = [
        [
            f'"{r.way}"', r.region, r.parameter, f"{r.error:.3f}", f"{r.bias:.3f}",
            f"{r.coverage:.3f}" if np.isfinite(r.coverage) else "", str(r.phantoms),
        ] for r in rows
    ]  # fmt: skip
    write_table(prepare_output_folder(out), head, cells, findings(rows))
    plain = [{k: None if v != v else v for k, v in r._asdict().items()} for r in rows]
    write_atomically(out / "summary.json", json.dumps({"weights": versions(), "rows": plain}, indent=1) + "\n")
    with temporary_sibling(out / "joint.png") as path:
        joint_figure(rows).savefig(path, dpi=110)


def joint_figure(rows: Sequence[Row]) -> Figure:
    """Left: QTMnet's errors by the source of its scale. Right: spin labelling's own errors of CBF by region."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = {(row.way, row.region, row.parameter): row.error for row in rows}
    for k, way in enumerate(SCALES):
        heights = [table.get((way, "tumour rim", p), np.nan) for p in PARAMETERS]
        left.bar(np.arange(len(PARAMETERS)) + 0.14 * (k - 2.5), heights, 0.13, label=way)
    left.set_xticks(range(len(PARAMETERS)), PARAMETERS)
    left.set(ylabel="median |log error|", title="QTMnet in the tumour rim, by the source of its scale")
    left.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, -0.32))  # below: it covers no bar
    for k, way in enumerate(FLOWS):
        heights = [table.get((way, r, "CBF"), np.nan) for r in REGIONS]
        right.bar(np.arange(len(REGIONS)) + 0.2 * (k - 1.5), heights, 0.19, label=way)
    right.set_xticks(range(len(REGIONS)), REGIONS)
    right.set(ylabel="median |log error| of CBF", title="Flow by spin labelling")
    right.legend(fontsize=7, ncols=2, loc="lower center", bbox_to_anchor=(0.5, -0.32))
    return figure
