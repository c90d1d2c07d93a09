"""What becomes of every field of a DCE sidecar: those that this project reads, and those of BIDS 1.10 for any MR image
(schema: rules/sidecars/mri.yaml) that say what is excited, when, or with which contrast agent.

A field that changes what another means must not go unread. Hardware, coils, matrices and names have no bearing.
"""

from simulate.files.bids.uses import Field, noted, refused, used

FIELDS: dict[str, Field] = {
    "RepetitionTimeExcitation": used("of the signal equation"),
    "RepetitionTime": used("the same, where VolumeTiming says when the frames begin"),
    "FlipAngle": used("of the signal equation"),
    "EchoTime": used("with --r2star: how far T2* lowers the signal"),
    "VolumeTiming": used("start of every frame"),
    "AcquisitionTime": used("start of every frame, of series of one file for each"),
    "FrameDuration": used("over which each frame is an average"),
    "BaselineVolumes": used("frames that give S0; held against --aif"),
    "LongitudinalRelaxivity": used("from R1 to concentration"),
    "MagneticFieldStrength": used("chooses T1 of blood"),
    "Haematocrit": used("from blood to plasma"),
    "BloodT1": noted("what a simulation took; --aif-t1 chooses that of an estimate"),
    "InversionTime": refused("an inverted or saturated signal is no plain spoiled gradient echo"),
    "MTState": refused("magnetisation transfer pulses change the signal equation, where true"),
    "ContrastBolusIngredient": refused("of an agent that does not shorten T1 (iodine, carbon dioxide, barium)"),
    "SliceTiming": used("warned of where slices of a frame are measured at times that differ: delays hold them"),
    "SliceEncodingDirection": noted("as SliceTiming, whose spread alone is warned of"),
    "MRAcquisitionType": noted("2-D slices, where their times differ, are warned of by SliceTiming"),
    "NegativeContrast": noted("of words for people; the curves show which way they go"),
    "NumberOfVolumesDiscardedByScanner": noted("VolumeTiming is of the frames that are there"),
    "NumberOfVolumesDiscardedByUser": noted("VolumeTiming is of the frames that are there"),
    "DelayTime": noted("in VolumeTiming already"),
    "DelayAfterTrigger": noted("in VolumeTiming already"),
    "AcquisitionDuration": noted("VolumeTiming and FrameDuration say when each frame is measured"),
    "PulseSequenceType": noted("words for people: spoiling is taken for granted, as TR and flip angle are given"),
    "SpoilingState": noted("as PulseSequenceType; an unspoiled echo has no closed equation"),
    "SpoilingType": noted("as PulseSequenceType"),
    "SpoilingRFPhaseIncrement": noted("as PulseSequenceType"),
    "ParallelReductionFactorInPlane": noted("common to all frames: the noise is taken from the curves"),
    "MultibandAccelerationFactor": noted("common to all frames"),
    "ReceiveCoilName": noted("common to all frames"),
}
