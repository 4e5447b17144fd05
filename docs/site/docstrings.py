"""How this project's docstrings and signatures are read where Sphinx would make something else of them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from docutils import nodes
from pydantic import BaseModel
from sphinx.ext import autosummary
from sphinx.util.nodes import make_refnode


def linked(app: Any, env: Any, node: nodes.Element, shown: nodes.Node) -> nodes.Node | None:
    """A name as a link where it is that of one thing in the reference, else as code.

    `snnlib.fit` stands there as ``snnlib.own.fit.fit``, so the end of a name decides.
    """
    if node.get("refdomain") != "py":
        return None
    name = f".{node['reftarget'].removeprefix('snnlib.')}"
    known = env.domains.python_domain.objects
    found = [full for full, thing in known.items() if full.endswith(name) and thing.objtype != "module"]
    if len(found) != 1:
        return None
    to = known[found[0]]
    return make_refnode(app.builder, node["refdoc"], to.docname, to.node_id, shown, found[0])


def keep_colon(app: Any, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """An empty comment before a property's text, since napoleon takes what is before a colon there for its type."""
    if what == "property":
        lines[:0] = ["..", ""]


def fields(
    app: Any, what: str, name: str, thing: object, options: Any, signature: str, returned: str
) -> tuple[str, None] | None:
    """Fields and defaults of a spec and its like without types, whose limits take lines each; nothing of a protocol."""
    if not isinstance(thing, type):
        return None
    if getattr(thing, "_is_protocol", False):
        return "", None
    if not issubclass(thing, BaseModel):
        return None
    given = inspect.signature(thing).parameters.values()
    return f"({', '.join(str(each.replace(annotation=each.empty)) for each in given)})", None


def aliases(
    app: Any, what: str, name: str, thing: object, options: Any, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """A type's name of its own where Sphinx, of a union with it, says ``TypeAliasForwardRef('Noise')``."""
    plain = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", signature or "")
    return (plain, returned) if plain != (signature or "") else None


def setup(app: Any) -> dict[str, bool]:
    autosummary.WELL_KNOWN_ABBREVIATIONS += ("Eq.", "Eqs.", "Fig.", "Front.", "Sec.")  # which end no sentence
    app.connect("missing-reference", linked)
    app.connect("autodoc-process-docstring", keep_colon, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", fields)
    app.connect("autodoc-process-signature", aliases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
