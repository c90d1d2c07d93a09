"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .chain.attribution import Chain, ChainAttribution, chain_attribution
from .chain.estimators import KineticEstimator
from .chain.features import RegionMeans
from .statistics.calibration import Calibration, brier_score, calibration, fit_temperature
from .statistics.confusion import ConfusionMatrix, highest_macro_f1
from .statistics.decision import DecisionCurve, decision_curve
from .statistics.delong import DeLong, auc, delong
from .statistics.intervals import Interval, auc_interval, hanley_mcneil_interval, proportion_interval
from .statistics.many_maps import BestOfMany, MaxT, best_of_many, max_t
from .statistics.multiclass import hand_till_auc, one_vs_rest_auc
from .statistics.paired import PairedAUC, compare_aucs
from .statistics.power import Power, auc_power, paired_auc_power
from .statistics.resampling import cluster_bootstrap, permutation_test

__all__ = [
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
    # how well it tells classes apart, and how sure that is
    "auc",
    "auc_interval",
    "Interval",
    "compare_aucs",
    "PairedAUC",
    "delong",
    "DeLong",
    "hanley_mcneil_interval",
    "one_vs_rest_auc",
    "hand_till_auc",
    "cluster_bootstrap",
    "permutation_test",
    # many maps, and studies that are yet to be made
    "max_t",
    "MaxT",
    "best_of_many",
    "BestOfMany",
    "auc_power",
    "paired_auc_power",
    "Power",
    # decisions and probabilities
    "ConfusionMatrix",
    "highest_macro_f1",
    "proportion_interval",
    "calibration",
    "Calibration",
    "brier_score",
    "fit_temperature",
    "decision_curve",
    "DecisionCurve",
]
