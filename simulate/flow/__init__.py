"""Blood flow: how much, under which pressure, with how many red cells."""

from simulate.flow.trees import TreeFlow as TreeFlow
from simulate.flow.trees import VesselFlow as VesselFlow
from simulate.flow.trees import solve_flow as solve_flow
