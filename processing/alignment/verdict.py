"""What an alignment has to say besides its rotations."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """Sentences for the user, and whether any of them lowers the quality."""

    warnings: list[str] = field(default_factory=list)
    low: bool = False
    fair: bool = False
    """The quality is `fair` at most."""

    def doubt(self, sentence: str) -> None:
        """Lower the quality for a stated reason."""
        self.warnings.append(sentence)
        self.low = True

    def question(self, sentence: str) -> None:
        """Let the quality be `fair` at most for a stated reason."""
        self.warnings.append(sentence)
        self.fair = True
