"""From a request and its rule to yes or no, with a reason and nothing given away."""

from dataclasses import dataclass, field
from typing import Literal

from api.access.masking import Mask, mask_by_pseudonym, mask_of
from api.access.principals import Principal
from api.access.rights import ANNOTATE
from api.access.rules import Rule
from storage.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request."""

    slug: Literal["", "not-authenticated", "not-allowed", "not-found", "method-not-allowed"] = ""
    """Kind of problem it is answered with; empty where it may go on."""
    reason: str = ""
    patients: list[str] = field(default_factory=list)
    """Whose data it is about, for the audit log."""
    masks: tuple[Mask, ...] = ()
    """How those patients appear in the answer."""


_LOG_IN = Decision("not-authenticated", "Log in, or present a valid token.")
_UNKNOWN = "There is no such patient, or it is not yours to see."
_BLIND = (
    "This holds identities or true dates; ask an administrator for a grant that includes them "
    "(`necktrace user grant ... --identified`)."
)


def _lacks(right: str) -> Decision:
    return Decision("not-allowed", f"This needs the right `{right}`.")


def decide(catalog: Catalog, principal: Principal, rule: Rule, parts: dict[str, str]) -> Decision:
    """Return whether a principal may use a route.

    Parameters
    ----------
    catalog : Catalog
    principal : Principal
    rule : Rule
        The rule of the route.
    parts : dict
        Parts of the path, by their names in the template.
    """
    if rule.need == "public":
        return Decision()
    if principal.kind == "nobody":
        return _LOG_IN
    if rule.need == "account":
        allowed = principal.kind in {"user", "owner"}
        return Decision() if allowed else Decision("not-allowed", "A token cannot do this.")
    if rule.subject == "path":
        return _for_path(catalog, principal, rule, parts["patient_id"])
    if rule.need != "signed-in" and not principal.may(rule.need):
        return _lacks(rule.need)
    if rule.subject == "recorded":
        return _for_recorded(catalog, principal, rule)
    if rule.subject == "shown":
        return _for_shown(catalog, principal, rule)
    return Decision()


def _for_path(catalog: Catalog, principal: Principal, rule: Rule, asked: str) -> Decision:
    """Judge a route with a patient in its path; the unknown and the forbidden look the same."""
    if principal.sees is None:
        return Decision(patients=[asked])
    blind = [p for p in principal.sees if principal.is_blind(p)]
    mask = mask_by_pseudonym(catalog, blind, asked) if blind else None
    patient = asked if mask is None else mask.patient
    if not principal.knows(patient) or (mask is None and principal.is_blind(patient)):
        return Decision("not-found", _UNKNOWN, [asked])
    needed = ANNOTATE if rule.need == "annotate" else {rule.need}
    if rule.need != "signed-in" and not any(principal.may(each, patient) for each in needed):
        right = " or ".join(f"`{each}`" for each in sorted(needed))
        return Decision("not-allowed", f"This needs the right {right}.", [patient])
    if mask is not None and rule.blind == "refused":
        return Decision("not-allowed", _BLIND, [patient])
    return Decision(patients=[patient], masks=() if mask is None else (mask,))


def _for_recorded(catalog: Catalog, principal: Principal, rule: Rule) -> Decision:
    patients = catalog.patients()
    if not patients or principal.sees is None:
        return Decision()
    recorded = patients[0].id
    if not principal.knows(recorded):
        return Decision("not-found", _UNKNOWN, [recorded])
    if principal.is_blind(recorded) and rule.blind == "refused":
        return Decision("not-allowed", _BLIND, [recorded])
    return Decision(patients=[recorded])


def _for_shown(catalog: Catalog, principal: Principal, rule: Rule) -> Decision:
    """Judge a list or a page, which shows only the patients that the principal sees."""
    if principal.sees is None:
        return Decision()
    shown = [patient for patient in catalog.patients() if principal.knows(patient.id)]
    if rule.need != "signed-in" and not shown:
        return Decision("not-found", "No patient is granted to you.")
    hidden = [patient for patient in shown if principal.is_blind(patient.id)]
    if rule.blind == "refused" and hidden:
        return Decision("not-allowed", _BLIND, [patient.id for patient in hidden])
    masks = tuple(mask_of(catalog, patient) for patient in hidden)
    # A page shows the first; a list shows them all.
    about = shown if rule.need == "signed-in" else shown[:1]
    return Decision(patients=[patient.id for patient in about], masks=masks)
