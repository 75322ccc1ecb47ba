"""What a terminal shows as it stands."""

import unicodedata


def shows(text: str) -> bool:
    """Whether no character of `text` is a command to a terminal, or no character at all."""
    return not any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text)
