"""A DCE-MRI examination, checked once: what every later step may trust, for the command line and Python alike."""

from estimate.examination.checked import DCEExamination, examine

__all__ = ["DCEExamination", "examine"]
