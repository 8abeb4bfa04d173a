"""What an alignment has to say besides its rotations."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """Sentences for the user, and whether any of them lowers the quality."""

    warnings: list[str] = field(default_factory=list)
    low: bool = False

    def doubt(self, sentence: str) -> None:
        """Lower the quality for a stated reason."""
        self.warnings.append(sentence)
        self.low = True
