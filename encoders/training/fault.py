"""How training fails."""


class TrainingError(ValueError):
    """Something cannot be trained, or training had to stop; the message says what to do."""
