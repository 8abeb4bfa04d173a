"""Worn time and how well turning was known: what stands beside every figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.clinic.patient_days import ClinicDay
from api.web import texts


@dataclass(frozen=True, slots=True)
class TrustShare:
    """Worn time and trust over a stretch of days."""

    days: int
    counted: int
    worn_s: float
    good: float
    """Percent of the time."""
    fair: float
    poor: float

    def _said(self, key: str) -> str:
        return texts.text(
            key,
            counted=self.counted,
            days=self.days,
            worn=texts.duration(self.worn_s),
            good=f"{self.good:.0f}",
            fair=f"{self.fair:.0f}",
            poor=f"{self.poor:.0f}",
        )

    @property
    def words(self) -> str:
        """All of it in a sentence about the last four weeks."""
        return self._said("clinic.trust")

    @property
    def short(self) -> str:
        """All of it as it stands beside a figure."""
        return self._said("clinic.trust.short")


def trust_share(days: Sequence[ClinicDay]) -> TrustShare:
    """Return worn time and trust of some days."""
    parts = [
        sum(getattr(d.summary, f"heading_{name}_s") for d in days)
        for name in ("good", "fair", "poor")
    ]
    whole = sum(parts) or 1.0
    good, fair, poor = (100.0 * part / whole for part in parts)
    worn_s = sum(d.summary.worn_s for d in days)
    return TrustShare(len(days), sum(d.counts for d in days), worn_s, good, fair, poor)
