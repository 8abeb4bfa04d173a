"""Thresholds of one patient: which days count, what is pointed out, what the detectors look for.

They are the clinic's to set and travel home with the plan. Every change stands in the audit log,
which is also their history. Those of the detectors become parameters of the processing, so results
carry them in their version.
"""

import dataclasses
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from storage.catalog import Catalog
from storage.exchange import scope_of

if TYPE_CHECKING:
    from processing.pipeline import PipelineParams

ACTION: Final = "clinic.thresholds"
"""Under which changes stand in the audit log."""
_KEY: Final = "thresholds"
_ASKED: Final = "thresholds_asked"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What applies to a patient; the defaults are the clinical specification's."""

    least_worn_h: float = 6.0
    """Worn hours that make a day count. Fewer lets short, unlike days in."""
    across_neutrals: bool = False
    """Join days of different neutrals; every change is marked all the same."""
    silent_d: int = 3
    """Days without data that are pointed out."""
    poor_percent: float = 30.0
    """Share of the last week with heading poor that is pointed out."""
    least_worse_deg: float = 0.0
    """A week counts as worse from so many degrees on. 0: any change beyond chance."""
    posture_on_deg: float = 15.0
    """This and what follows: as in the detectors' parameters, where their meaning stands."""
    posture_off_deg: float = 10.0
    posture_least_s: float = 5.0
    jerk_least_deg: float = 3.0
    tremor_least_pp_deg: float = 0.3


DETECTOR_FIELDS: Final = (
    "posture_on_deg", "posture_off_deg", "posture_least_s", "jerk_least_deg", "tremor_least_pp_deg",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history."""

    at_ns: int
    actor: str
    fields: tuple[tuple[str, Any, Any], ...]
    """Name, value before, value after."""


def thresholds_of(catalog: Catalog, patient_id: str) -> Thresholds:
    """Return what applies to a patient; what was never set, or is unknown here, is the default."""
    held = catalog.setting(scope_of(patient_id), _KEY)
    given = held if isinstance(held, dict) else {}
    known = dataclasses.asdict(Thresholds())
    # it may come from a clinic of another version
    fitting: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if name in known
        and isinstance(value, int | float)
        and isinstance(known[name], bool) == isinstance(value, bool)
    }
    return Thresholds(**fitting)


def save_thresholds(catalog: Catalog, patient_id: str, wanted: Thresholds, actor: str) -> bool:
    """Keep thresholds and write down what changed; return whether anything did."""
    before, after = (
        dataclasses.asdict(each) for each in (thresholds_of(catalog, patient_id), wanted)
    )
    changed = {name: [before[name], new] for name, new in after.items() if before[name] != new}
    if changed:
        catalog.set_setting(scope_of(patient_id), _KEY, after)
        catalog.audit(actor, ACTION, patient_id, changed)
    return bool(changed)


def detectors_differ(before: Thresholds, after: Thresholds) -> bool:
    """Return whether results made with one would have other candidate episodes than the other."""
    return any(getattr(before, name) != getattr(after, name) for name in DETECTOR_FIELDS)


def ask_for(catalog: Catalog, patient_id: str) -> None:
    """Note that results are to be made with the patient's thresholds, and are not yet."""
    catalog.set_setting(scope_of(patient_id), _ASKED, value=True)


def is_asked_for(catalog: Catalog, patient_id: str) -> bool:
    """Return whether results with the patient's thresholds are still to be made."""
    return catalog.setting(scope_of(patient_id), _ASKED) is True


def answered(catalog: Catalog, patient_id: str, made_with: Thresholds) -> None:
    """Note that results were made, unless the thresholds changed meanwhile."""
    if thresholds_of(catalog, patient_id) == made_with and is_asked_for(catalog, patient_id):
        catalog.set_setting(scope_of(patient_id), _ASKED, value=False)


def history(catalog: Catalog, patient_id: str) -> list[Change]:
    """Return the changes of a patient's thresholds, newest first."""
    found = []
    for at_ns, actor, action, subject, detail in reversed(catalog.audit_log()):
        if action == ACTION and subject == patient_id:
            rows = tuple((name, *pair) for name, pair in sorted(detail.items()))
            found.append(Change(at_ns, actor, rows))
    return found


def pipeline_params(thresholds: Thresholds) -> "PipelineParams":
    """Return the parameters of the processing with a patient's thresholds in their place."""
    from processing.pipeline import PipelineParams

    params = PipelineParams()
    episodes = params.episodes
    return replace(
        params,
        episodes=replace(
            episodes,
            posture=replace(
                episodes.posture,
                theta_on_deg=thresholds.posture_on_deg,
                theta_off_deg=thresholds.posture_off_deg,
                duration_min_s=thresholds.posture_least_s,
            ),
            jerk=replace(episodes.jerk, amplitude_min_deg=thresholds.jerk_least_deg),
            tremor=replace(episodes.tremor, pp_min_deg=thresholds.tremor_least_pp_deg),
        ),
    )
