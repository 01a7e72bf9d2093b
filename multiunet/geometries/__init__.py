"""What coarsening, refining and mixing mean on each kind of field."""

from multiunet.geometries.footprint import Footprint, footprint
from multiunet.geometries.graph import Graph
from multiunet.geometries.graph_field import GraphField
from multiunet.geometries.grid import Grid

__all__ = ["Footprint", "Graph", "GraphField", "Grid", "footprint"]
