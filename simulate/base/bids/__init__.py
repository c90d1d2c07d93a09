"""Sidecars after BIDS: found by its inheritance principle, read strictly, with the user's --set on top."""

from simulate.base.bids.asl import ASL_FIELDS as ASL_FIELDS
from simulate.base.bids.asl import ASLSidecar as ASLSidecar
from simulate.base.bids.asl import context_path as context_path
from simulate.base.bids.asl import find_context as find_context
from simulate.base.bids.asl import read_asl_sidecar as read_asl_sidecar
from simulate.base.bids.asl import write_asl_sidecar as write_asl_sidecar
from simulate.base.bids.dce import DCE_FIELDS as DCE_FIELDS
from simulate.base.bids.dce import DCESidecar as DCESidecar
from simulate.base.bids.dce import read_dce_sidecar as read_dce_sidecar
from simulate.base.bids.dce import write_sidecar as write_sidecar
from simulate.base.bids.fields import parse_set as parse_set
from simulate.base.bids.inheritance import sidecars_of as sidecars_of
from simulate.base.bids.intended import find_m0 as find_m0
from simulate.base.bids.m0 import M0_FIELDS as M0_FIELDS
from simulate.base.bids.m0 import read_m0_sidecar as read_m0_sidecar
from simulate.base.bids.vfa import VFA_FIELDS as VFA_FIELDS
from simulate.base.bids.vfa import read_vfa_sidecars as read_vfa_sidecars
