"""All kinds of rules, and the models that read a pack."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from rules.kinds import (
    compared,
    desk,
    dossier_numbers,
    duties,
    groups,
    implausible,
    integrity,
    interagency,
    lateness,
    national,
    near_due,
    opencps,
    petitions,
    sent_back,
    unknown,
)
from rules.kinds.kind import Kind

_MODULES = (
    lateness,
    sent_back,
    unknown,
    national,
    opencps,
    compared,
    desk,
    duties,
    near_due,
    petitions,
    interagency,
    integrity,
    implausible,
    dossier_numbers,
    groups,
)

KINDS: Final[Mapping[str, Kind]] = {name: kind for module in _MODULES for name, kind in module.KINDS.items()}

_ANY: Any = reduce(or_, (kind.model for kind in KINDS.values()))


class Pack(BaseModel):
    """A file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pack: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    rules: Annotated[tuple[Annotated[_ANY, Field(discriminator="kind")], ...], Field(min_length=1)]
