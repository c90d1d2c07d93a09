"""Arterial and venous trees over the same terminals inside any mask."""

from simulate.vessels.domain import Domain as Domain
from simulate.vessels.growth import Split as Split
from simulate.vessels.growth import grow_tree as grow_tree
from simulate.vessels.network import Vessels as Vessels
from simulate.vessels.network import grow_vessels as grow_vessels
from simulate.vessels.network import make_irregular as make_irregular
from simulate.vessels.network import with_flow as with_flow
from simulate.vessels.radii import with_radii as with_radii
from simulate.vessels.tree import Tree as Tree
from simulate.vessels.tree import sum_to_root as sum_to_root
