"""What becomes of every field that BIDS 1.10 defines for ASL (schema: rules/sidecars/asl.yaml) and of those it borrows.

A field that changes what another means must not go unread: so each one is either used, or refused where it says what is
not quantified here, or of no consequence for CBF and ATT, and says why.
"""

from enum import Enum
from typing import NamedTuple


class Use(Enum):
    """USED : it enters the result, or is held against what does.      REFUSED : some of its values are.
    NOTED : nothing follows from it."""

    USED = "used"
    REFUSED = "refused"
    NOTED = "of no consequence"


class Field(NamedTuple):
    use: Use
    why: str


def _used(why: str) -> Field:
    return Field(Use.USED, why)


def _noted(why: str) -> Field:
    return Field(Use.NOTED, why)


_EFFICIENCY = "goes into the labelling efficiency, which is a number of its own"

FIELDS: dict[str, Field] = {
    "ArterialSpinLabelingType": _used("chooses equation and efficiency"),
    "PostLabelingDelay": _used("of every volume; the inversion time of PASL"),
    "LabelingDuration": _used("of every volume of (P)CASL"),
    "RepetitionTimePreparation": _used("how far M0 had recovered, volume by volume"),
    "MagneticFieldStrength": _used("chooses T1 of blood"),
    "LabelingEfficiency": _used("of the inversion alone; warned of where it seems to hold suppression's loss"),
    "BackgroundSuppression": _used("whether controls may stand in for M0, and whether pulses cost label"),
    "BackgroundSuppressionNumberPulses": _used("label lost to each"),
    "BackgroundSuppressionPulseTime": _used("their number, where that is not given; held against it where it is"),
    "M0Type": _used("where M0 is"),
    "M0Estimate": _used("M0 of blood"),
    "MRAcquisitionType": _used("whether slices have times"),
    "SliceTiming": _used("delay of every slice of 2-D readouts"),
    "SliceEncodingDirection": Field(Use.REFUSED, "k- turns SliceTiming round; slices along i or j are refused"),
    "TotalAcquiredPairs": _used("held against the number of pairs"),
    "BolusCutOffFlag": Field(Use.REFUSED, "PASL without a cut-off has a bolus of unknown duration"),
    "BolusCutOffDelayTime": _used("duration of PASL's bolus"),
    "BolusCutOffTechnique": Field(Use.REFUSED, "QUIPSS saturates the slices and does not end the bolus"),
    "LookLocker": Field(Use.REFUSED, "several readouts after one label are not quantified"),
    "FlipAngle": _noted("of the readout: common to control, label and M0; Look-Locker, where it matters, is refused"),
    "EchoTime": _used("common to control and label; warned of where that of a separate M0 differs: T2* then stays"),
    "VascularCrushing": _noted("label in arteries is then gone: --arterial finds an aBV near 0"),
    "VascularCrushingVENC": _noted("as VascularCrushing"),
    "AcquisitionVoxelSize": _noted("the image's own voxels are what is quantified"),
    "LabelingOrientation": _noted("where blood is labelled enters by its arrival time"),
    "LabelingDistance": _noted("where blood is labelled enters by its arrival time"),
    "LabelingLocationDescription": _noted("words for people"),
    "LabelingSlabThickness": _noted("the cut-off, which is required, ends the bolus"),
    "PCASLType": _noted(_EFFICIENCY),
    "CASLType": _noted(_EFFICIENCY),
    "PASLType": _noted(_EFFICIENCY),
    "LabelingPulseAverageGradient": _noted(_EFFICIENCY),
    "LabelingPulseMaximumGradient": _noted(_EFFICIENCY),
    "LabelingPulseAverageB1": _noted(_EFFICIENCY),
    "LabelingPulseDuration": _noted(_EFFICIENCY),
    "LabelingPulseFlipAngle": _noted(_EFFICIENCY),
    "LabelingPulseInterval": _noted(_EFFICIENCY),
    "IntendedFor": _noted("of an M0 image, whose own sidecar says so"),
}
