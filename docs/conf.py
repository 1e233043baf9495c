"""How Sphinx makes the documentation: pages, tutorials, and the reference from the docstrings."""

# Sphinx, not MkDocs: MkDocs was last released in August 2024 and support of its theme Material ends; Sphinx lives on.

from itertools import pairwise
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.inspect import signature, stringify_signature
from sphinx.util.nodes import make_refnode

project = "Unrolled"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
exclude_patterns = ["_build"]
default_role = "py:obj"  # `name` is code, and a link where there is such a name
highlight_language = "none"  # of equations; examples are known by their prompt
smartquotes_action = "D"  # dashes alone; quotation marks stay as written, "" being an empty text
toc_object_entries_show_parents = "hide"

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of Keras and Python are not ours
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # the descriptions say more: shapes and units
napoleon_attr_annotations = False
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Call arguments", "params_style")]

html_theme = "furo"
html_title = "Unrolled"
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # the pages of the pipelines link to files of the repository, too
html_static_path = ["static"]
html_css_files = ["reference.css"]
html_copy_source = html_show_copyright = False


def keep_equations(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Keeps the lines of an indented block, an equation most often, as they are: Sphinx wants `::` before it."""

    def indentation(line: str) -> int:
        return len(line) - len(line.lstrip())

    written = [at for at, line in enumerate(lines) if line.strip()]
    for before, at in reversed(list(pairwise(written))):
        if at > before + 1 and indentation(lines[at]) > indentation(lines[before]):
            lines[at:at] = [" " * indentation(lines[before]) + "::", ""]


def show_constructor(
    _app: Sphinx, what: str, _name: str, member: Any, _options: Any, shown: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Shows the arguments of a layer's constructor, which `__new__` of Keras hides."""
    if what == "class" and shown == "(*args, **kwargs)":
        shown = stringify_signature(signature(member.__init__, bound_method=True), show_annotation=False)
    return shown, returned


def skip_member(_app: Sphinx, _what: str, name: str, member: Any, _skip: bool, _options: Any) -> bool | None:
    """Leaves out what another entry describes: the fields of named tuples, and other names of a class or function."""
    is_field = type(member).__name__ == "_tuplegetter"
    return True if is_field or getattr(member, "__name__", name) != name else None


def link_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    """Links the bare name of a class or function, whichever module it is public in."""
    places = {
        (entry.docname, entry.node_id)
        for name, entry in env.domains.python_domain.objects.items()
        if name.endswith(f".{node['reftarget']}") and entry.objtype in ("class", "function")
    }
    return make_refnode(app.builder, node["refdoc"], *places.pop(), content) if len(places) == 1 else None


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", keep_equations, priority=400)  # before the Google style is translated
    app.connect("autodoc-process-signature", show_constructor)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", link_public_name)
