"""Tracer through a vascular bed: the spectral engine."""

from simulate.transport.bed import Bed as Bed
from simulate.transport.bed import make_bed as make_bed
from simulate.transport.engine import Contents as Contents
from simulate.transport.engine import Ledger as Ledger
from simulate.transport.engine import cell_concentration as cell_concentration
from simulate.transport.engine import transfer as transfer
from simulate.transport.engine import transport as transport
from simulate.transport.readout import Readout as Readout
from simulate.transport.readout import readout as readout
