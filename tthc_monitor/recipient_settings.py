"""The part of the configuration about people: who gets the morning mail, whose superior is told, how it is answered."""

from __future__ import annotations

from email import headerregistry as mailbox
from email.errors import MessageError
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from tthc_monitor.source_settings import Part
from tthc_monitor.transport_settings import Channel


def _can_be_mailed(address: str) -> str:
    try:
        read = mailbox.Address(addr_spec=address).addr_spec
    except (MessageError, ValueError, IndexError):
        known = False
    else:
        known = read == address and address.isascii() and address.isprintable()
    if not known:
        raise ValueError(
            f"{address!r} is no address that can be mailed; correct it: ASCII letters, digits and signs without two dots "
            "together, a domain beyond ASCII as xn--…"
        )
    return address


Address = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$"), AfterValidator(_can_be_mailed)]
Code = Annotated[str, Field(min_length=1)]


class Recipient(Part):
    """Who gets the digest, about what, and who is told when nothing comes of it.

    ``units``
        codes of units; none means the whole office. With ``subtree`` all that lies below them too.
    ``sectors``
        codes of sectors that it is limited to; none means all.
    ``role``
        ``inspector`` is told integrity findings too; ``head`` is asked to take note.
    ``all_clear``
        whether a digest comes also when nothing needs action; None: as ``digest.all_clear`` says.
    ``transport``
        how this one gets it; None: as ``digest.transport`` says.
    ``superior``
        address of who is told of overdue dossiers that nothing changed about for ``escalate_after_days`` working days.
    """

    address: Address
    units: tuple[Code, ...] = ()
    subtree: bool = False
    sectors: tuple[Code, ...] = ()
    role: Literal["head", "staff", "inspector"] = "staff"
    all_clear: bool | None = None
    transport: Channel | None = None
    superior: Address | None = None
    escalate_after_days: Annotated[int, Field(ge=1, le=250)] = 5

    @field_validator("units", "sectors")
    @classmethod
    def _each_once(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            if codes.count(code) > 1:
                raise ValueError(f"'{code}' stands twice; remove one of the two")
        return codes

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.subtree and not self.units:
            raise ValueError("subtree is set, but no units: that is the whole office already; name units, or remove it")
        if self.superior is None and "escalate_after_days" in self.model_fields_set:
            raise ValueError("escalate_after_days is set, but nobody to escalate to; add superior, an address")
        if self.superior is not None and self.superior.lower() == self.address.lower():
            raise ValueError("superior is the recipient's own address; give the address of who is above")
        return self


class AcknowledgeSettings(Part):
    """The key by which links in mails are signed, and for how many days after its day a mail may be answered.

    The key is at least 32 bytes, in ``key_file`` or in the environment variable ``key_env``.
    """

    key_file: str | None = None
    key_env: str | None = None
    days: Annotated[int, Field(ge=1, le=60)] = 7

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("acknowledge needs exactly one of key_file and key_env; give one")
        return self
