"""What a page needs that draws pictures and loads nothing."""

import json
from collections.abc import Iterable
from functools import cache
from html import escape


@cache
def library() -> str:
    """JavaScript that makes `vegaEmbed(place, specification, options)` known, for a `<script>`."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed")
    return bundle.replace("</script", "<\\/script")


def inert(text: str) -> str:
    """JSON that ends no `<script>`, whatever is in its names."""
    return text.replace("<", "\\u003c")


def page(title: str, figures: Iterable[tuple[str, str, str]]) -> str:
    """A page of nothing but pictures.

    Args:
        title: of the window.
        figures: of each its name, its caption, and Vega-Lite with its data as JSON.
    """
    drawn = [
        f'<figure><div id="{escape(name)}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        f"<script>vegaEmbed(document.getElementById({inert(json.dumps(name))}), {inert(spec)}, "
        "{actions: false})</script>"
        for name, caption, spec in figures
    ]
    return _PAGE % (escape(title), library(), "\n".join(drawn))


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>%s</title>
<style>
body { font: 16px system-ui, sans-serif; color: black; background: white; margin: 24px }
figure { margin: 0 0 40px; max-width: 760px } figure > div { width: 100%% }
figcaption { color: #555 }
</style>
<script>%s</script>
<body>
%s
</body></html>
"""
