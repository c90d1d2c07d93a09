"""What becomes of every field that BIDS 1.10 defines for ASL (schema: rules/sidecars/asl.yaml) and of those it borrows.

A field that changes what another means must not go unread: so each one is either used, or refused where it says what is
not quantified here, or of no consequence for CBF and ATT, and says why.
"""

from simulate.files.bids.uses import Field, noted, refused, used

_EFFICIENCY = "goes into the labelling efficiency, which is a number of its own"

FIELDS: dict[str, Field] = {
    "ArterialSpinLabelingType": used("chooses equation and efficiency"),
    "PostLabelingDelay": used("of every volume; the inversion time of PASL"),
    "LabelingDuration": used("of every volume of (P)CASL"),
    "RepetitionTimePreparation": used("how far M0 had recovered, volume by volume"),
    "MagneticFieldStrength": used("chooses T1 of blood"),
    "LabelingEfficiency": used("of the inversion alone; warned of where it seems to hold suppression's loss"),
    "BackgroundSuppression": used("whether controls may stand in for M0, and whether pulses cost label"),
    "BackgroundSuppressionNumberPulses": used("label lost to each"),
    "BackgroundSuppressionPulseTime": used("their number, where that is not given; held against it where it is"),
    "M0Type": used("where M0 is"),
    "M0Estimate": used("M0 of blood"),
    "MRAcquisitionType": used("whether slices have times"),
    "SliceTiming": used("delay of every slice of 2-D readouts"),
    "SliceEncodingDirection": refused("k- turns SliceTiming round; slices along i or j are refused"),
    "TotalAcquiredPairs": used("held against the number of pairs"),
    "BolusCutOffFlag": refused("PASL without a cut-off has a bolus of unknown duration"),
    "BolusCutOffDelayTime": used("duration of PASL's bolus"),
    "BolusCutOffTechnique": refused("QUIPSS saturates the slices and does not end the bolus"),
    "LookLocker": refused("several readouts after one label are not quantified"),
    "FlipAngle": noted("of the readout: common to control, label and M0; Look-Locker, where it matters, is refused"),
    "EchoTime": used("common to control and label; warned of where that of a separate M0 differs: T2* then stays"),
    "VascularCrushing": noted("label in arteries is then gone: --arterial finds an aBV near 0"),
    "VascularCrushingVENC": noted("as VascularCrushing"),
    "AcquisitionVoxelSize": noted("the image's own voxels are what is quantified"),
    "LabelingOrientation": noted("where blood is labelled enters by its arrival time"),
    "LabelingDistance": noted("where blood is labelled enters by its arrival time"),
    "LabelingLocationDescription": noted("words for people"),
    "LabelingSlabThickness": noted("the cut-off, which is required, ends the bolus"),
    "PCASLType": noted(_EFFICIENCY),
    "CASLType": noted(_EFFICIENCY),
    "PASLType": noted(_EFFICIENCY),
    "LabelingPulseAverageGradient": noted(_EFFICIENCY),
    "LabelingPulseMaximumGradient": noted(_EFFICIENCY),
    "LabelingPulseAverageB1": noted(_EFFICIENCY),
    "LabelingPulseDuration": noted(_EFFICIENCY),
    "LabelingPulseFlipAngle": noted(_EFFICIENCY),
    "LabelingPulseInterval": noted(_EFFICIENCY),
    "IntendedFor": noted("of an M0 image, whose own sidecar says so"),
}
