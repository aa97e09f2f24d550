"""How a page of a release is made of a template, and what all pages have in common.

A page is one file: its styles and pictures are in it, it has no script, and what it quotes is escaped. A
policy in its head has browsers refuse whatever it might ask for.
"""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from pipeline.checks.quoting import escaped
from pipeline.report import size_text

FOREIGN = ("link", "image", "autolink", "reference", "html_inline", "html_block")
"""What of Markdown a page does not take: it leads elsewhere, or is HTML."""


def render(template: str, **given: Any) -> str:
    """Return the page that a template of this package makes of what it is given."""
    return _environment().get_template(template).render(**given)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.release.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": size_text, "plain": escaped, "markdown": markdown, "thousands": thousands}
    return environment


def markdown(text: str) -> Markup:
    """Return a text in Markdown as HTML, without links, pictures and HTML of its own."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(FOREIGN)
    return Markup(reader.render(text))  # noqa: S704  it escapes all that it is given


def thousands(number: int) -> str:
    """Return a number as people read it: 1,234,567."""
    return f"{number:,}"
