"""Rights, and which of them each role can have at most.

A right on a patient's data needs a grant for that patient besides. An administrator manages
people; without a grant an administrator sees nobody's data.
"""

from typing import Final, Literal, get_args

Right = Literal["read:summary", "read:raw", "write:annotations", "write:labels", "forward", "admin"]
Role = Literal["patient", "carer", "clinician", "researcher", "admin"]

RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
ROLES: Final[tuple[Role, ...]] = get_args(Role)

MEANINGS: Final[dict[Right, str]] = {
    "read:summary": "angles, episodes, minutes, days, notes and the live view",
    "read:raw": "raw samples, and everything as files",
    "write:annotations": "write notes and verdicts, and take them back",
    "write:labels": "write annotations for research, which change nothing of the record",
    "forward": "send a home's record to a clinic and fetch what the clinic wrote",
    "admin": "people, grants, tokens and the audit log",
}
"""What each right opens; also the scopes of tokens."""

ANNOTATE: Final = frozenset({"write:annotations", "write:labels"})
"""Either of them lets annotations be written."""

CLINICAL: Final = "clinical"
"""Judging episodes, entering treatments, setting what counts. No token has it."""

CONSENT: Final = "consent"
"""Saying yes or no for the patient, and who may see their data. No token has it."""

ERASE: Final = "erase"
"""Deleting a record for good: the person's to do, not that of who treats them. No token has it."""

ROLE_RIGHTS: Final[dict[Role, frozenset[str]]] = {
    "patient": frozenset(
        {"read:summary", "read:raw", "write:annotations", "forward", CONSENT, ERASE}
    ),
    "carer": frozenset({"read:summary", "write:annotations"}),
    "clinician": frozenset({"read:summary", "read:raw", "write:annotations", CLINICAL, CONSENT}),
    "researcher": frozenset({"read:summary", "read:raw", "write:labels"}),
    "admin": frozenset({"read:summary", "read:raw", "write:annotations", CLINICAL, ERASE, "admin"}),
}
