"""Write the coarse mask of land that the world map draws, src/tokenergy/page/land.py.

Run by hand, when the mask should be another:

    npm pack world-atlas && tar xzf world-atlas-*.tgz
    python docs/make_land.py package/land-110m.json

The outlines are Natural Earth's land at 1:110 million, which is in the public domain; the npm
package `world-atlas` holds them as TopoJSON. The mask is our own: a cell of so many degrees is
land where its middle is inside an outline. The outlines are not kept.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenergy.page.land import CELL_DEG, NORTH_DEG, SOUTH_DEG

TARGET = Path(__file__).resolve().parents[1] / "src" / "tokenergy" / "page" / "land.py"
MASK = re.compile(r"(?s)^MASK: Final = \($.*?^\)$", re.MULTILINE)
Point = tuple[float, float]
Ring = list[Point]


def rings(topology: dict[str, Any]) -> Iterator[Ring]:
    """Yield the outlines of land as longitudes and latitudes; holes are outlines too."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[Ring] = []
    for steps in topology["arcs"]:
        x, y, arc = 0, 0, []
        for dx, dy in steps:
            x, y = x + dx, y + dy
            arc.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(arc)
    for geometry in topology["objects"]["land"]["geometries"]:
        for polygon in geometry["arcs"]:
            for indices in polygon:
                ring: Ring = []
                for index in indices:
                    arc = arcs[index] if index >= 0 else arcs[~index][::-1]
                    ring += arc[1:] if ring else arc
                yield ring


def crossings(outlines: list[Ring], latitude_deg: float) -> list[float]:
    """Return where a parallel crosses the outlines, from west to east."""
    found = []
    for ring in outlines:
        for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
            if (y0 > latitude_deg) != (y1 > latitude_deg):
                found.append(x0 + (latitude_deg - y0) / (y1 - y0) * (x1 - x0))
    return sorted(found)


def mask(outlines: list[Ring]) -> list[str]:
    """Return a row of hexadecimal digits for each band of latitude, from the north."""
    columns_count = round(360.0 / CELL_DEG)
    rows = []
    for at in range(round((NORTH_DEG - SOUTH_DEG) / CELL_DEG)):
        edges = crossings(outlines, NORTH_DEG - (at + 0.5) * CELL_DEG)
        bits = 0
        for column in range(columns_count):
            middle_deg = -180.0 + (column + 0.5) * CELL_DEG
            inside = sum(edge <= middle_deg for edge in edges) % 2
            bits = bits << 1 | inside
        rows.append(f"{bits:0{columns_count // 4}x}")
    return rows


def main() -> None:
    rows = mask(list(rings(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
    text = TARGET.read_text(encoding="utf-8")
    lines = "".join(f'    "{row}",\n' for row in rows)
    TARGET.write_text(MASK.sub(f"MASK: Final = (\n{lines})", text), encoding="utf-8")
    print(f"{len(rows)} rows written to {TARGET.name}")


if __name__ == "__main__":
    main()
