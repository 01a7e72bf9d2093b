"""What coarsening, refining and mixing mean on each kind of field."""

from multiunet.geometries.footprint import Footprint, footprint
from multiunet.geometries.graph import Graph
from multiunet.geometries.graph_edges import CoarseEdges, Induced, TwoHop
from multiunet.geometries.graph_field import GraphField
from multiunet.geometries.graph_merge import Contraction, Matching
from multiunet.geometries.graph_pool import SAG, Pooling, TopK
from multiunet.geometries.graph_soft import MinCut
from multiunet.geometries.grid import Grid

__all__ = [
    "SAG",
    "CoarseEdges",
    "Contraction",
    "Footprint",
    "Graph",
    "GraphField",
    "Grid",
    "Induced",
    "Matching",
    "MinCut",
    "Pooling",
    "TopK",
    "TwoHop",
    "footprint",
]
