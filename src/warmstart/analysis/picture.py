"""A picture of the report, shown in a notebook or kept in a file."""

from dataclasses import dataclass
from pathlib import Path

from warmstart.analysis.style import LIGHT
from warmstart.files import replacing

_COLOURS = {"--muted": "#767676", "--rule": "#8884"} | {
    f"--arm-{number}": hue for number, hue in enumerate(LIGHT)
}  # readable on white and on black


@dataclass(frozen=True)
class Picture:
    """An SVG element of `plots`, which leaves its colours to the page."""

    element: str

    def _repr_html_(self) -> str:
        """In the colours of the notebook's theme."""
        colours = "; ".join(f"{name}: {hue}" for name, hue in _COLOURS.items())
        return (
            f'<div style="{colours}; max-width: 45em; font-family: sans-serif">{self.element}</div>'
        )

    def save(self, path: str | Path) -> None:
        """Write an SVG file that stands by itself, black on white."""
        svg = self.element.replace("currentColor", "#000")
        for name, hue in _COLOURS.items():
            svg = svg.replace(f"var({name})", hue)
        svg = svg.replace(
            "<svg ",
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            'style="background: #fff; font-family: sans-serif" ',
            1,
        )
        with replacing(Path(path)) as unfinished:
            unfinished.write_text(svg, encoding="utf-8")
