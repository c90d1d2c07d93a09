"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .attribution.activation import ClassActivation, grad_cam, grad_cam_plus_plus
from .attribution.coalitions import Shapley, sampled_shapley, shapley
from .attribution.completeness import completeness_gap
from .attribution.expected import ExpectedGradients, expected_gradients
from .attribution.gradient import input_x_gradient, saliency
from .attribution.grids import resampled, write_attribution
from .attribution.integrated import IntegratedGradients, integrated_gradients
from .attribution.judges.correlation import Agreement, agreement
from .attribution.judges.perturbation import InsertionDeletion, insertion_deletion
from .attribution.judges.regions import Localisation, localisation
from .attribution.judges.subsets import SensitivityN, sensitivity_n
from .attribution.judges.weights import WeightRandomisation, weight_randomisation
from .attribution.smoothed import SmoothGrad, smooth_grad
from .attribution.windows import Occlusion, occlusion
from .chain.attribution import ChainAttribution, chain_attribution
from .chain.chain import Chain
from .chain.errors import AttributionErrors, noise_before_contrast
from .chain.features import RegionMeans
from .chain.kinetic import KineticEstimator
from .chain.qtmnet import QTMnetEstimator
from .chain.sensitivity import chain_sensitivities
from .datasets.cohort import Cohort, Subject, read_cohort
from .datasets.dce import DCECase, open_dce
from .learning.augmentation import Augmentation
from .learning.config import LearningConfig
from .learning.examples import Example, Examples
from .learning.losses import binary_cross_entropy, class_weights, cross_entropy
from .learning.outputs import outputs_of
from .learning.training import train_classifier
from .networks.aslnet import ASLNetArchitecture
from .networks.files import load_network, network_facts, save_network
from .networks.mlp import MLPArchitecture
from .networks.resnet import ResNetArchitecture
from .networks.small import SmallCNNArchitecture
from .networks.staged import Staged, pure, weight_count
from .splits.folds import NestedSplit, Split, external_split, given_folds, grouped_folds, inner_split, nested_folds
from .splits.proof import DisjointnessProof, prove_disjoint
from .statistics.best_of_many import BestOfMany, best_of_many
from .statistics.calibration import Calibration, brier_score, calibration
from .statistics.confusion import ConfusionMatrix, highest_macro_f1
from .statistics.decision import DecisionCurve, decision_curve
from .statistics.delong import DeLong, auc, delong
from .statistics.intervals import Interval, auc_interval, hanley_mcneil_interval, proportion_interval
from .statistics.max_t import MaxT, max_t
from .statistics.multiclass import hand_till_auc, one_vs_rest_auc
from .statistics.paired import PairedAUC, compare_aucs
from .statistics.power import Power, auc_power, paired_auc_power
from .statistics.resampling import cluster_bootstrap, permutation_test
from .statistics.temperature import fit_temperature
from .survival.brier import SurvivalBrier, survival_brier
from .survival.concordance import Concordance, harrell_c, uno_c
from .survival.cox_fit import CoxFit, fit_cox
from .survival.cox_likelihood import cox_log_likelihood
from .survival.discrete import IntervalTable, discrete_log_likelihood, discrete_survival, interval_table
from .survival.horizon import HorizonLabel, horizon_label
from .survival.kaplan_meier import KaplanMeier, censoring_curve, kaplan_meier
from .survival.log_rank import LogRank, log_rank

__all__ = [
    # networks of volumes and of numbers
    "ResNetArchitecture",
    "ASLNetArchitecture",
    "SmallCNNArchitecture",
    "MLPArchitecture",
    "Staged",
    "pure",
    "weight_count",
    "save_network",
    "load_network",
    "network_facts",
    # their training
    "train_classifier",
    "Examples",
    "Example",
    "LearningConfig",
    "Augmentation",
    "cross_entropy",
    "binary_cross_entropy",
    "class_weights",
    "outputs_of",
    # what made a function of arrays say what it says: by its derivatives
    "saliency",
    "input_x_gradient",
    "smooth_grad",
    "SmoothGrad",
    "integrated_gradients",
    "IntegratedGradients",
    "expected_gradients",
    "ExpectedGradients",
    # by its layers
    "grad_cam",
    "grad_cam_plus_plus",
    "ClassActivation",
    # by what becomes of it without a part
    "occlusion",
    "Occlusion",
    "shapley",
    "sampled_shapley",
    "Shapley",
    # how far that can be believed
    "completeness_gap",
    "insertion_deletion",
    "InsertionDeletion",
    "sensitivity_n",
    "SensitivityN",
    "weight_randomisation",
    "WeightRandomisation",
    "localisation",
    "Localisation",
    "agreement",
    "Agreement",
    # over an anatomical image
    "resampled",
    "write_attribution",
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "QTMnetEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
    "AttributionErrors",
    "chain_sensitivities",
    "noise_before_contrast",
    # cohorts as tables
    "read_cohort",
    "Cohort",
    "Subject",
    "open_dce",
    "DCECase",
    # who is learned from, and who is judged
    "grouped_folds",
    "nested_folds",
    "inner_split",
    "given_folds",
    "external_split",
    "Split",
    "NestedSplit",
    "prove_disjoint",
    "DisjointnessProof",
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
    # times to an event
    "kaplan_meier",
    "KaplanMeier",
    "log_rank",
    "LogRank",
    "cox_log_likelihood",
    "fit_cox",
    "CoxFit",
    "interval_table",
    "IntervalTable",
    "discrete_log_likelihood",
    "discrete_survival",
    "horizon_label",
    "HorizonLabel",
    "censoring_curve",
    "harrell_c",
    "uno_c",
    "Concordance",
    "survival_brier",
    "SurvivalBrier",
]
