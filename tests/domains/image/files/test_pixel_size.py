from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains.image.files.readers import Picture, override_spacing
from multiunet.errors import InputError


def test_what_is_told_stands_in_place_of_what_the_file_says() -> None:
    picture = Picture(np.zeros((1, 2, 3, 4), np.uint8), "grey", (9.0, 9.0, 9.0), "pixel")
    assert override_spacing(picture, None) is picture
    for given, spacing in (([0.5], (0.5, 0.5, 0.5)), ([2.0, 0.5, 0.25], (2.0, 0.5, 0.25))):
        told = override_spacing(picture, given)
        assert (told.spacing, told.unit, told.pixels is picture.pixels) == (spacing, "µm", True)
    with pytest.raises(InputError, match="`pixel_size=1,2`: give one number, or one for each axis z, y, x"):
        override_spacing(picture, [1.0, 2.0])
