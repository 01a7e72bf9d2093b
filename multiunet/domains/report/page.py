"""Pages of one file: templates, and a policy that forbids the browser every request."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"

MOST_BYTES = 3_000_000
"""Of a page."""


@cache
def environment() -> Environment:
    """Return the templates, which escape all that they are given: names of files may be any text."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["address"] = to_address
    return found


def render(template: str, script: str = "", **content: Any) -> str:
    """Return a page.

    Args:
        template: name of its file.
        script: JavaScript of the page, the only one that its policy allows.
        content: what the template shows.
    """
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return (
        environment()
        .get_template(template)
        .render(policy=make_policy(script), style=Markup(style), script=Markup(script), **content)
    )


def make_policy(script: str = "") -> str:
    """Return the Content-Security-Policy: nothing is loaded, and no script runs but this one."""
    allowed = ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f" script-src 'sha256-{digest}';"
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline';{allowed} form-action 'none'; base-uri 'none'"


def to_address(picture: bytes) -> str:
    """Return a PNG or JPEG file as an address that holds it."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
