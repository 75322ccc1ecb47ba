"""docs/images/chapter: pictures of docs/chapter.md, from the report of the last run on digits.

python docs/chapter_pictures.py
"""

import io
import sys
from pathlib import Path

import vl_convert
from PIL import Image

IMAGES = Path(__file__).resolve().parent / "images/chapter"
REPORTED = Path("reports/figures")
PICTURES = {
    "gradients": "depth/gradients-20",
    "initializer": "initializer/ranking",
    "activation": "activation/ranking",
    "batch_norm": "batch_norm/curves",
    "clipping": "clipping/rates",
    "labels": "transfer/labels",
    "transfer": "transfer/seeds",
}
"""Name -> that of the report's."""


def main() -> int:
    sources = {name: REPORTED / f"{reported}.svg" for name, reported in PICTURES.items()}
    if lacking := [str(path) for path in sources.values() if not path.exists()]:
        print(
            f"error: {', '.join(lacking)}: expected the pictures of a report, received none; "
            "run `dvc repro` here first",
            file=sys.stderr,
        )
        return 2
    IMAGES.mkdir(exist_ok=True)
    for name, path in sources.items():
        picture = vl_convert.svg_to_png(path.read_text(encoding="utf-8"), scale=1.5)
        few_colours = Image.open(io.BytesIO(picture)).convert("RGB").quantize(64)
        few_colours.save(IMAGES / f"{name}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
