"""Other packages' ways to calibrate, on tables of predictions; each is imported where it is asked for.

pip install torch-uncertainty torchcp mapie
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stated import Table, temper
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

MOST_SITES = 200_000
"""Sites that torch-uncertainty's L-BFGS is given: a draw of them, where there are more."""


def installed(name: str) -> bool:
    """Return True where a package can be imported."""
    return importlib.util.find_spec(name) is not None


def torch_uncertainty_temperature(val: Table) -> float:
    """Return the temperature of torch-uncertainty's TemperatureScaler, fitted to validation."""
    from torch_uncertainty.post_processing import TemperatureScaler

    chosen = np.random.default_rng(0).permutation(len(val.target))[:MOST_SITES]
    logits = torch.from_numpy(np.log(val.mean[chosen].clip(1e-30))).float()
    labels = torch.from_numpy(val.target[chosen]).long()
    scaler = TemperatureScaler()
    scaler.fit(DataLoader(TensorDataset(logits, labels), batch_size=65536), progress=False)
    return float(scaler.temperature[0])


def torchcp_sets(val: Table, test: Table, level: float) -> dict[str, dict[str, float]]:
    """Return coverage and mean size of torchcp's LAC and APS sets of test, limits from validation."""
    from torchcp.classification.predictor import SplitPredictor
    from torchcp.classification.score import APS, LAC

    found = {}
    for name, score in (("lac", LAC(score_type="identity")), ("aps", APS(score_type="identity"))):
        torch.manual_seed(0)
        predictor = SplitPredictor(score)
        p_val, p_test = (torch.from_numpy(part.mean).float() for part in (val, test))
        predictor.calculate_threshold(p_val, torch.from_numpy(val.target), 1 - level)
        sets = predictor.predict_with_logits(p_test)
        found[name] = size_and_coverage(sets.bool(), test.target)
    return found


def torchcp_daps(
    p: Tensor, y: Tensor, edge_index: Tensor, val: Tensor, test: Tensor, level: float
) -> dict[str, dict[str, float]]:
    """Return coverage and mean size of torchcp's DAPS sets of test nodes: half of the score is the neighbours'.

    Args:
        p: probabilities of all nodes, ``(nodes, classes)``.
        val, test: numbers of nodes.
    """
    from torch_geometric.data import Data
    from torchcp.classification.score import APS
    from torchcp.graph.predictor import SplitPredictor
    from torchcp.graph.score import DAPS

    data = Data(x=p, edge_index=edge_index, y=y.clamp(min=0))
    data.num_classes = p.shape[1]
    torch.manual_seed(0)
    score = DAPS(data, base_score_function=APS(score_type="identity"), neigh_coef=0.5)
    predictor = SplitPredictor(data, score)
    label_mask = torch.nn.functional.one_hot(y.clamp(min=0), p.shape[1]).bool()
    predictor.calculate_threshold(p, val, label_mask, 1 - level)
    sets = predictor.predict_with_logits(p, test)
    return {"daps": size_and_coverage(sets.bool(), y[test].numpy())}


def size_and_coverage(sets: Tensor, target: NDArray[Any]) -> dict[str, float]:
    """Return the mean number of classes in the sets ``(sites, classes)``, and how many hold the target."""
    held = sets.numpy()
    return {"coverage": float(held[np.arange(len(target)), target].mean()), "size": float(held.sum(axis=1).mean())}


def mapie_interval(val: Table, test: Table, level: float) -> dict[str, float]:
    """Return coverage and width of MAPIE's split conformal interval, m +- q of one q for all sites."""
    from mapie.regression import SplitConformalRegressor
    from sklearn.base import BaseEstimator, RegressorMixin

    class Known(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        """Returns the means that it is given."""

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def fit(self, x: Any, y: Any) -> Any:
            self.is_fitted_ = True
            return self

        def predict(self, x: Any) -> Any:
            return x[:, 0]

    regressor = SplitConformalRegressor(Known().fit(None, None), confidence_level=level, prefit=True)
    regressor.conformalize(val.mean, val.target[:, 0])
    _, ends = regressor.predict_interval(test.mean)
    lower, upper = ends[:, 0, 0], ends[:, 1, 0]
    y = test.target[:, 0]
    return {"coverage": float(((lower <= y) & (y <= upper)).mean()), "width": float((upper - lower).mean())}


def tempered(table: Table, temperature: float) -> Table:
    """Return the table with its probabilities at another temperature."""
    return table.with_probabilities(temper(table.mean, temperature))
