"""Blood flow: how much, under which pressure, with how many red cells."""

from simulate.flow.network import Network as Network
from simulate.flow.network import NetworkFlow as NetworkFlow
from simulate.flow.network import network_of as network_of
from simulate.flow.network import solve_network as solve_network
from simulate.flow.trees import TreeFlow as TreeFlow
from simulate.flow.trees import VesselFlow as VesselFlow
from simulate.flow.trees import solve_flow as solve_flow
