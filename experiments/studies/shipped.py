"""Which networks a study's figures are of."""

from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL
from simulate.files.atomic import sha256_of


def shipped_checksums() -> dict[str, str]:
    """SHA-256 of the weights that ship, by network."""
    return {"QTMnet": sha256_of(SHIPPED), "QTMnet-ASL": sha256_of(SHIPPED_ASL)}
