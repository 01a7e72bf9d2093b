from __future__ import annotations

import pytest
import torch

from multiunet.errors import Diverged
from multiunet.finite import check_outputs, is_finite


def test_sparse_features_are_looked_at_too() -> None:
    """Bags of words are sparse, and torch's isfinite takes no sparse tensors."""
    for value, finite in ((1.0, True), (float("nan"), False), (float("inf"), False)):
        features = torch.sparse_coo_tensor(torch.tensor([[0, 1], [2, 0]]), torch.tensor([2.0, value]), (3, 4))
        assert is_finite(features) == finite
        assert is_finite(features.to_dense()) == finite


def test_outputs_are_judged_by_their_inputs() -> None:
    nan = torch.tensor([float("nan")])
    sparse = torch.eye(2).to_sparse()
    with pytest.raises(Diverged, match="its training diverged"):
        check_outputs([torch.ones(1), nan], sparse)
    check_outputs([nan], nan)
    check_outputs([torch.ones(1)], nan)
