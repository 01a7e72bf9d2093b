"""Settings of a package of a run, cheap to import."""

from __future__ import annotations

from multiunet.domains.config import Options, option
from multiunet.domains.setting_types import StrList, TextList


class ShareOptions(Options):
    """Settings of ``multiunet share``."""

    license: str | None = option(
        None,
        "licence of the weights, as SPDX writes it: CC-BY-4.0, say; default: the card says that none is stated",
        "Output",
    )
    authors: TextList = option([], "who trained the run, for the card", "Output", repeated=True)
    about: str | None = option(None, "what the run is for, in words, for the card", "Output")
    allow: StrList = option(
        [], "names of users or machines that may stand in the package, since they mean something else there", "Output"
    )
    overwrite: bool = option(False, "replace an existing file", "Output")
