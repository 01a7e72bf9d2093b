"""What coarsening, refining and mixing mean on each kind of field."""

from multiunet.geometries.graph.edges import CoarseEdges, Induced, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import Contraction, Matching
from multiunet.geometries.graph.select import SAG, Pooling, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.geometries.grid.footprint import Footprint, footprint
from multiunet.geometries.grid.grid import Grid

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
