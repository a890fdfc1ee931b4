"""Answers that are kept for whoever asks the same again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class Known(Generic[_Answer]):
    """The answers that were wanted last.

    Args:
        most: so many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._changing = Lock()

    def get(self, question: Hashable) -> _Answer | None:
        """The answer that is kept; None: there is none."""
        with self._changing:
            if question not in self._answers:
                return None
            self._answers.move_to_end(question)
            return self._answers[question]

    def keep(self, question: Hashable, answer: _Answer) -> None:
        """Have it for the next time, instead of the one that was not wanted for longest."""
        with self._changing:
            self._answers[question] = answer
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)
