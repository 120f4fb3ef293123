"""What the pages of the site have."""

import re
from pathlib import Path

API = Path(__file__).parents[1] / "docs" / "api.md"


def listed_names():
    """Return the full names of all that docs/api.md has a page for."""
    names, module = [], None
    for line in API.read_text("utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   [A-Za-z_.]+", line):
            names.append(f"{module}.{line.strip()}")
    return names
