"""Geometries: coarsening, refining and mixing on each kind of field."""

from multiunet.geometries.attention import Attention, CrossAttention
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE, Convolution
from multiunet.geometries.graph.edges import CoarseEdges, Induced, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.geometries.graph.select import SAG, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import AveragePool, MaxPool, StridedConv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import InTurn
from multiunet.geometries.grid.inverted import Inverted, InvertedDown, InvertedUp
from multiunet.geometries.grid.merging import BlockDown, PatchMerging
from multiunet.geometries.grid.parts import Block, Down, Up
from multiunet.geometries.grid.plain import Keep, PlainConv
from multiunet.geometries.grid.positions import Positions, Relative, Rotary
from multiunet.geometries.grid.preactivation import PreActivation
from multiunet.geometries.grid.segformer import SegFormer
from multiunet.geometries.grid.spatial_transformer import SpatialTransformer
from multiunet.geometries.grid.transformer import Transformer
from multiunet.geometries.grid.up import PixelShuffle, Resize, Transposed
from multiunet.geometries.grid.window import Window

__all__ = [
    "GCN",
    "GIN",
    "GINE",
    "SAG",
    "SAGE",
    "Attention",
    "AveragePool",
    "Block",
    "BlockDown",
    "CoarseEdges",
    "Contraction",
    "Conv",
    "Convolution",
    "CrossAttention",
    "Down",
    "GATv2",
    "Graph",
    "GraphField",
    "Grid",
    "HeavyEdgeMatching",
    "InTurn",
    "Induced",
    "Inverted",
    "InvertedDown",
    "InvertedUp",
    "Keep",
    "MaxPool",
    "MinCut",
    "PatchMerging",
    "PixelShuffle",
    "PlainConv",
    "Pooling",
    "Positions",
    "PreActivation",
    "PyGConv",
    "Relative",
    "Resize",
    "Rotary",
    "SegFormer",
    "SpatialTransformer",
    "StridedConv",
    "TopK",
    "Transformer",
    "Transposed",
    "TwoHop",
    "Up",
    "Window",
]
