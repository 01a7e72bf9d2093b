"""Pages of the site that are made from elsewhere: README, CHANGELOG, CONTRIBUTING, and the reference of the library.

A hook of MkDocs; see ``mkdocs.yml``. Nothing is imported from the package: names are read from its source.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = "multiunet"

COPIED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages that lie beside ``docs/``, and what the site calls them."""

REFERENCE = {
    "commands": [PACKAGE],
    "core": [f"{PACKAGE}.core"],
    "geometries": [f"{PACKAGE}.geometries"],
    "models": [f"{PACKAGE}.models"],
    "losses": [f"{PACKAGE}.losses"],
    "metrics": [f"{PACKAGE}.metrics"],
    "tasks": [f"{PACKAGE}.tasks"],
    "training": [f"{PACKAGE}.training.loop", f"{PACKAGE}.training.recipe", f"{PACKAGE}.training.data"],
    "prediction": [f"{PACKAGE}.prediction"],
    "uncertainty": [f"{PACKAGE}.uncertainty"],
    "diffusion": [f"{PACKAGE}.diffusion"],
    "testing": [f"{PACKAGE}.testing"],
}
"""Modules whose public names each page of the reference describes."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in ``docs/`` as the site has them."""
    from mkdocs.structure.files import File

    for source, page in COPIED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=place_links(text, source)))
    for name, modules in REFERENCE.items():
        files.append(File.generated(config, f"api/{name}.md", content=write_reference(name, modules)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Take links to what the site does not hold, scripts and results, out of a page of ``docs/``."""
    source = page.file.src_uri
    return (
        markdown if source in COPIED.values() or source.startswith("api/") else place_links(markdown, f"docs/{source}")
    )


def place_links(text: str, source: str) -> str:
    """Return a page's text with links as the site has them; of a file outside the site the words alone stay."""

    def place(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in COPIED:
            return f"[{words}]({COPIED[path]}{anchor})"
        if path.startswith("docs/") and path.endswith(".md"):
            return f"[{words}]({path.removeprefix('docs/')}{anchor})"
        return words

    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if at % 2 else LINK.sub(place, part) for at, part in enumerate(parts))


def write_reference(name: str, modules: list[str]) -> str:
    """Return a page of the reference: a heading, then each public name of the modules."""
    lines = [f"# {name.capitalize()}", ""]
    for module in modules:
        lines += [first_lines(module), ""]
        lines += [f"::: {module}.{public}\n" for public in public_names(module, functions_alone=module == PACKAGE)]
    return "\n".join(lines)


def source_of(module: str) -> Path:
    """Return the file of a module or of a package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def first_lines(module: str) -> str:
    """Return the first paragraph of a module's docstring."""
    return (ast.get_docstring(ast.parse(source_of(module).read_text(encoding="utf-8"))) or "").partition("\n\n")[0]


def public_names(module: str, functions_alone: bool = False) -> list[str]:
    """Return the names that a module makes public: those of ``__all__``, or what it defines without an underscore.

    Args:
        functions_alone: leave out classes, which other pages describe.
    """
    tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
    named = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets)
    ]
    if named:
        return [one for one in named[0] if not functions_alone or (one.islower() and not one.startswith("_"))]
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]
