"""What a language model costs, and how often it fails.  Source: our choice."""

from dataclasses import asdict, dataclass


@dataclass
class Usage:
    """Counters since the model was loaded or connected to."""

    questions: int = 0
    """Put to the model; a question may take several requests."""
    requests: int = 0
    """Sent, those that failed included."""
    faults: int = 0
    """Requests without a usable reply: time-outs, refusals by the server, broken replies."""
    invalid_replies: int = 0
    """Replies that were not of the form that was asked for, or contradict the question."""
    repairs: int = 0
    """Invalid replies that the model was asked to mend."""
    failures: int = 0
    """Questions without an answer in the end."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """As the server counts them; a server that does not say counts as none."""
    cost: float = 0.0
    """In the currency of the prices that were configured."""

    def to_json(self) -> dict[str, float | int]:
        """As plain values."""
        return asdict(self)
