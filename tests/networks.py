"""Networks that nobody trained or calibrated."""

from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.out_of_distribution import TrainingDistribution
from estimate.qtmnet.weights import Calibration, Trained


def uncalibrated(
    net: QTMnet, *, branch: bool = True, training_distribution: TrainingDistribution | None = None
) -> Trained:
    """Ready to be asked: its intervals are as it says, and by default nothing is out of distribution."""
    sees = net.shape.sees
    known = training_distribution or TrainingDistribution.empty(sees.nodes, net.shape.context)
    limits = {name: {"alarms": 0.0} for name in ("curves", "scans")}
    told = Calibration(dict.fromkeys(sees.scored, 1.645), dict.fromkeys(sees.scored, 0.1), known, limits)
    return Trained(net, branch, told, {})
