"""Kinetic fits of whole images: concentration and arterial input in, parameters with errors and status out."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Real

from estimate.kinetics.bounds import box, resolve_bounds
from estimate.kinetics.capillary import CAPILLARY_MODELS, capillary_fit
from estimate.kinetics.compressed import BlockFit, compressed_fit
from estimate.kinetics.curves import check_errors, checked
from estimate.kinetics.derivative import with_implicit_derivative
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel
from estimate.kinetics.model_choice import select
from estimate.least_squares.blocks import BLOCK, SIZES, map_blocks
from estimate.least_squares.standard_errors import CurveErrors
from estimate.signal.errors import SignalErrors
from simulate.base.errors import InputError
from simulate.base.exchange import LIMITS
from simulate.base.leaves import NoArray
from simulate.base.progress import Progress, silent
from simulate.base.runtime import ON_ONE_THREAD, is_traced, programs_at_once
from simulate.base.shapes import FRAMES
from simulate.base.status import LACKING, NO_ESTIMATE, Status
from simulate.base.types import Tissue
from simulate.kinetics.compartments import COMPARTMENT_MODELS

FIT_MODELS = (*COMPARTMENT_MODELS, "auto", *CAPILLARY_MODELS)
"""Names that `fit_kinetics` knows."""

MODEL_CODES = {name: code for code, name in enumerate(("2cxm", "2cum", "etm", "tofts", "patlak", "dp", "aath"), 1)}
"""What the `model` map holds."""

IDENTIFIABLE = 1 / 3
"""Largest standard error, as a share of its parameter, of a parameter that counts as identifiable: one that lies
three standard errors from zero."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KineticFit:
    """Result of `fit_kinetics`, every array of the image's shape.

    `tissue`, Ktrans, rss and aicc carry derivatives, of any order, in the concentration and the AIF; `stderr` and
    `correlation` are constants to differentiation.

    Attributes
    ----------
    tissue : Tissue
        The parameters [1/s, fractions, s]; NaN where `status` says that there is no estimate, and the limiting value
        (`simulate.base.exchange.LIMITS`) where the model lacks the parameter.
    Ktrans : (...) array [1/s]
        Transfer constant: Fp PS/(Fp+PS), or Fp (1-exp(-PS/Fp)) for dp and aath.
    stderr : dict of (...) arrays
        Standard errors by name, those of `tissue` and Ktrans; NaN where the model lacks the parameter. The voxel's own:
        what all voxels of a scan share (the input, its scale) is not in them.
    rss : (...) array [(mmol/L)^2]
        Residual sum of squares.
    aicc : (...) array
        Corrected Akaike criterion (smaller is better).
    correlation : (...) array
        Of the noise of neighbouring frames, as the residuals show it; `stderr` allows for it.
    status : (...) int array
        Bits of `Status`.
    model : (...) int array
        Code of the model, see `MODEL_CODES`.
    """

    tissue: Tissue
    Ktrans: Real[Any, "*s"] | NoArray
    stderr: dict[str, Real[Any, "*s"] | NoArray]
    rss: Real[Any, "*s"] | NoArray
    aicc: Real[Any, "*s"] | NoArray
    correlation: Real[Any, "*s"] | NoArray
    status: Real[Any, "*s"] | NoArray
    model: Real[Any, "*s"] | NoArray

    def interval(self, name: str, level: float = 0.9) -> tuple[Any, Any]:
        """Confidence interval of a parameter: value exp(+-z stderr/value), which stays positive.

        The delay, which may be negative, has value +- z stderr.

        Parameters
        ----------
        name : str
            Of a parameter, or "Ktrans".
        level : float
            Share of intervals that cover the truth.

        Returns
        -------
        low : (...) array
            Lower end, in the parameter's unit.
        high : (...) array
            Upper end.
        """
        value = self.Ktrans if name == "Ktrans" else getattr(self.tissue, name)
        reach = NormalDist().inv_cdf((1 + level) / 2) * self.stderr[name]
        if name == "delay":
            return value - reach, value + reach
        factor = jnp.exp(reach / value)
        return value / factor, value * factor


def fit_kinetics(
    concentration: Any,
    times: Any,
    aif: Any,
    *,
    model: str = "2cxm",
    aif_times: Any = None,
    frame_duration: Any = 0.0,
    errors: SignalErrors | None = None,
    fit_delay: bool = False,
    arterial_volume: bool = False,
    bounds: dict[str, tuple[float, float]] | None = None,
    start: dict[str, Any] | None = None,
    solver: str = "compressed",
    identifiable: float = IDENTIFIABLE,
    progress: Progress = silent,
) -> KineticFit:
    """Fit a kinetic model to every curve of an image by bounded least squares.

    Compartmental models are fitted in the space of the AIF's own exponentials (`estimate.kinetics.table`):
    a closed-form search over pairs of rates, then Levenberg-Marquardt. The minimum is that of the full
    problem; nothing is approximated but the table's interpolation (relative error < 1e-6).

    Parameters
    ----------
    concentration : (..., t) array [mmol/L]
        Of tissue.
    times : (t,) array [s]
        Centres of the frames, any spacing, any first value.
    aif : (k,) array [mmol/L]
        Arterial PLASMA concentration, blood/(1-haematocrit).
    model : str
        2cxm, 2cum, etm, tofts, patlak; auto (of these the one to believe, voxel by voxel, see
        `estimate.kinetics.model_choice`); dp, aath (slower, on the whole curves).
    aif_times : (k,) array [s]
        Sample times of the AIF; `times` by default.
    frame_duration : float or (t,) array [s]
        How long each frame is measured: the model is averaged over [times - frame_duration/2, times +
        frame_duration/2], exactly. 0 samples it at `times`.
    errors : SignalErrors
        Of concentrations that come from a signal (`signal_errors`): what the error of S0, common to the whole curve,
        and that of T10 do to the parameters goes into their standard errors. Without it the noise is taken to be that
        of the concentrations themselves, alike in every frame.
    fit_delay : bool
        Also fit the delay from AIF to tissue.
    arterial_volume : bool
        Also fit the arterial plasma volume va of the voxel (2cxm, 2cum, tofts, dp, aath).
    bounds : dict of (low, high)
        By name, in internal units, over those of `BOUNDS`.
    start : dict of (...) array, optional
        Where to begin, by name, in internal units: the minimum there is followed, as along a path, instead of the
        least of all looked for. Compartmental models alone.
    solver : str
        "compressed", or "lbfgsb" for jaxopt's bounded L-BFGS on the whole curves (a slow reference).
    identifiable : float
        A parameter whose standard error exceeds this share of its value is flagged, by default one that lies within
        three standard errors of zero (the delay: whose standard error exceeds a frame).
    progress : function
        Told of every block of voxels (`simulate.base.progress.Progress`).

    Returns
    -------
    KineticFit
        Differentiable in `concentration` and `aif`, forward and reverse, by the implicit function theorem (zero along
        an active bound); jaxopt's solver: `tissue` and rss, in reverse.

    Raises
    ------
    InputError
        For an unknown model or solver, a combination that cannot be told apart, fewer frames than parameters, or arrays
        that do not match.
    """
    concentration, given = checked(concentration, times, aif, aif_times, frame_duration)
    check_errors(errors, concentration.shape)
    options = {
        "errors": errors, "fit_delay": fit_delay, "arterial_volume": arterial_volume, "bounds": bounds, "start": start,
        "solver": solver, "identifiable": identifiable, "progress": progress,
    }  # fmt: skip
    if start is not None and (model not in COMPARTMENT_MODELS or solver != "compressed"):
        raise InputError("start", "", f"cannot be given for {model} by {solver}", "choose a compartmental model")
    if model == "auto":
        names = [n for n in COMPARTMENT_MODELS if not (arterial_volume and _has_plasma(n))]
        return select({name: _fit_one(concentration, given, name, **options) for name in names})
    return _fit_one(concentration, given, model, **options)


def _has_plasma(name: str) -> bool:
    return name in ("etm", "patlak")


def _fit_one(
    concentration: Any, given: FitInput, name: str, *, errors: SignalErrors | None, fit_delay: bool,
    arterial_volume: bool, bounds: Any, start: dict[str, Any] | None, solver: str, identifiable: float, progress: Any,
) -> KineticFit:  # fmt: skip
    if name not in FIT_MODELS:
        raise InputError("model", "", f"unknown model {name!r}", f"choose one of {', '.join(FIT_MODELS)}")
    if arterial_volume and _has_plasma(name):
        raise InputError(
            "model",
            name,
            "its vp cannot be told apart from an arterial volume",
            "leave out arterial_volume or use 2cxm",
        )
    fit_model = FitModel(name, arterial_volume=arterial_volume, fit_delay=fit_delay)
    frames = given.times.size
    if frames <= len(fit_model.parameters) + 2:
        raise InputError(
            "concentration", "frames", f"{frames} frames cannot determine {len(fit_model.parameters)} parameters",
            "measure longer or choose a simpler model",
        )  # fmt: skip
    limits = resolve_bounds(bounds)
    shape = concentration.shape[:-1]
    curves = concentration.reshape(-1, frames)
    traced = is_traced((concentration, errors, given, start))
    run = _Run(fit_model, solver, given, limits, errors, traced=traced)
    begin = None if start is None else _in_rows(start, fit_model, shape)
    spacing = _median_spacing(given.times)

    def named(fit: BlockFit) -> KineticFit:
        assemble = _assembled if traced else _assembled_on_one_thread
        return assemble(fit_model, fit, frames, spacing, identifiable)

    if traced:
        fit = map_blocks(run.fit, curves, run.errors, begin, traced=True, progress=progress)
        if solver != "lbfgsb":
            fit = with_implicit_derivative(fit_model, tuple(limits.items()), jnp.asarray(curves), given, fit)
        return jax.tree.map(lambda a: a.reshape(shape), named(fit))
    flat = map_blocks(
        lambda *block: named(run.fit(*block)), curves, run.errors, begin,
        traced=False, frames=run.padding, sizes=SIZES if run.padding is None else (BLOCK,),
        at_once=1 if run.padding is None else programs_at_once(), progress=progress,
    )  # fmt: skip
    return jax.tree.map(lambda a: jax.device_put(np.asarray(a).reshape(shape)), flat)


def _in_rows(start: dict[str, Any], model: FitModel, shape: tuple[int, ...]) -> Any:
    """(v, p) in the model's order."""
    for name in model.parameters:
        if name not in start:
            raise InputError("start", name, "is missing", f"give {', '.join(model.parameters)}")
    xp = jnp if is_traced(start) else np
    return xp.stack([xp.broadcast_to(start[name], shape).reshape(-1) for name in model.parameters], axis=1)


def _median_spacing(times: Any) -> Any:
    """Of frames [s]."""
    return jnp.median(jnp.diff(times)) if is_traced(times) else np.median(np.diff(np.asarray(times, dtype=float)))


class _Run:
    """A solver made ready for blocks of curves.

    fit : curves (v, t), errors, where to begin and how many voxels count -> BlockFit.
    errors : (v, t) each, or None.
    padding : frames are padded to a multiple of this; None where what is padded costs as much as what counts.
    """

    def __init__(
        self, model: FitModel, solver: str, given: FitInput, limits: dict, errors: SignalErrors | None, *, traced: bool
    ):
        frames = given.times.size
        self.errors = None
        self._before = np.zeros(frames)
        if errors is not None:
            self.errors = tuple(a.reshape(-1, frames) for a in (errors.noise, errors.baseline, errors.t10))
            self._before = (np.arange(frames) < errors.frames) / max(errors.frames, 1)
        lower, upper = box(model, limits, given.times.dtype)
        self.padding = None
        if solver == "lbfgsb":
            from estimate.kinetics.reference_solver import lbfgsb_fit  # jaxopt is imported where it is asked for

            self._fit = lambda c, e, *_: lbfgsb_fit(model, c, e, given, lower, upper)
        elif solver != "compressed":
            raise InputError("solver", "", f"unknown solver {solver!r}", "choose compressed or lbfgsb")
        elif model.name in CAPILLARY_MODELS:
            fit = capillary_fit(model, jax.lax.stop_gradient(given), limits, lower, upper)
            self._fit = lambda c, e, _, voxels: fit(c, e, voxels)
        else:
            self.padding = None if traced else FRAMES
            self._fit = compressed_fit(model, jax.lax.stop_gradient(given), limits, lower, upper, padded=not traced)

    def fit(self, curves: Any, each: tuple | None, start: Any, voxels: int) -> BlockFit:
        known = None
        if each is not None:
            before = np.pad(self._before, (0, curves.shape[1] - self._before.size)).astype(curves.dtype)
            known = CurveErrors(*jax.lax.stop_gradient(each), before=jax.device_put(before))
        return self._fit(curves, known, start, voxels)


def _assemble(model: FitModel, fit: BlockFit, frames: Any, spacing: Any, identifiable: Any) -> KineticFit:
    """Name the parameters, flag what the data do not determine, blank what has no estimate; voxels in a row.

    frames : their number.      spacing : of them [s].
    """
    values, status = fit.values, fit.status
    for i, name in enumerate(model.parameters):
        scale = spacing if name == "delay" else identifiable * jnp.abs(values[i])
        unknown = ~(fit.stderr[i] <= scale)
        flag = Status[f"{name.upper()}_NOT_IDENTIFIABLE"] | Status.NOT_IDENTIFIABLE
        # int32 on both sides: jaxlib 0.10.1 crashes on `int32 | int64`
        status = status | jnp.where(unknown, jnp.int32(flag), 0)
    for name, flag in LACKING.items():
        status = status if name in model.parameters else status | int(flag)
    none = (fit.status & int(NO_ESTIMATE)) != 0
    # a voxel without an estimate says only why
    status = jnp.where(none, fit.status & int(NO_ESTIMATE), status)

    def image(array: Any) -> Any:
        return jnp.where(none, jnp.nan, array)

    names = model.parameters
    found = dict(zip(names, values, strict=True))
    errors = dict(zip((*names, "Ktrans"), fit.stderr, strict=True))
    absent = jnp.full_like(fit.rss, jnp.nan)
    count = len(model.parameters) + 1  # the noise level is estimated as well
    correction = 2 * count + 2 * count * (count + 1) / (frames - count - 1)
    # without noise a residual is rounding, of which a model with more parameters need not be proud
    least = jnp.maximum(fit.rounding, jnp.finfo(fit.rss.dtype).tiny * 1e6)
    aicc = frames * jnp.log(jnp.maximum(fit.rss, least) / frames) + correction
    return KineticFit(
        tissue=Tissue(**{n: image(found.get(n, jnp.full_like(fit.rss, LIMITS[n]))) for n in LIMITS}),
        Ktrans=image(model.transfer_constant(found)),
        stderr={n: image(errors.get(n, absent)) for n in (*LIMITS, "Ktrans")},
        rss=image(fit.rss),
        aicc=image(aicc),
        correlation=image(fit.correlation),
        status=status,
        model=jnp.where(none, 0, MODEL_CODES[model.name]).astype(jnp.int32),
    )


_assembled = jax.jit(_assemble, static_argnames="model")
_assembled_on_one_thread = jax.jit(_assemble, static_argnames="model", compiler_options=ON_ONE_THREAD)
