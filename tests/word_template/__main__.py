"""Write the shipped template anew: ``python -m tests.word_template``."""

from __future__ import annotations

from tests.word_template.package import SHIPPED, packed

SHIPPED.write_bytes(packed())
print(SHIPPED)
