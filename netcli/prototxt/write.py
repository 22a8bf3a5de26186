"""Messages to prototxt text."""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format


def to_text(message: Any) -> str:
    """The message as prototxt: two-space indents, one field a line, floats by their shortest form."""
    text: str = text_format.MessageToString(message)
    return text
