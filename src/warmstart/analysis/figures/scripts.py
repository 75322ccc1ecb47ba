"""What a page needs that draws pictures and loads nothing."""

from functools import cache


@cache
def library() -> str:
    """JavaScript that makes `vegaEmbed(place, specification, options)` known, for a `<script>`."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed")
    return bundle.replace("</script", "<\\/script")


def inert(text: str) -> str:
    """JSON that ends no `<script>`, whatever is in its names."""
    return text.replace("<", "\\u003c")
