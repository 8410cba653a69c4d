"""Remember what was asked about a message, so that the next one answers it: "At what time?" "9am"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fitness_buddy.core.state import StateStore, question_name
from fitness_buddy.remind.times import When

_ANSWERED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A reminder that a language model has read in a message, until the athlete confirms it."""

    task: str
    whens: Sequence[When]
    language: str


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked.

    Attributes:
        texts: the message that was asked about, and the answers so far.
        proposal: what to store if the answer is yes.
    """

    texts: Sequence[str]
    proposal: Proposal | None = None


class Questions:
    """The open question of one athlete, in the state store: the last one, for an hour."""

    def __init__(self, state: StateStore, athlete_id: str) -> None:
        self._state = state
        self._name = question_name(athlete_id)

    def open(self, now: datetime) -> Question | None:
        """Return the question that is waiting for an answer."""
        state = self._state.read(self._name)
        if not state or not state.get("texts"):
            return None
        asked_at = datetime.fromisoformat(state["asked_at"])
        if not timedelta(0) <= now - asked_at <= _ANSWERED_WITHIN:
            return None
        return Question(state["texts"], _proposal(state.get("proposal")))

    def keep(self, question: Question, now: datetime) -> None:
        """Remember a question instead of the one before."""
        proposal = question.proposal
        document: dict[str, Any] = {"asked_at": now.isoformat(), "texts": list(question.texts)}
        if proposal:
            whens = [[when.due_at.isoformat(), when.timezone, when.rule] for when in proposal.whens]
            document["proposal"] = {"task": proposal.task, "whens": whens, "language": proposal.language}
        self._state.write(self._name, document)

    def forget(self) -> None:
        """Let go of the question, if there is one."""
        if self._state.read(self._name):
            self._state.write(self._name, {})


def _proposal(state: Any) -> Proposal | None:
    if not state:
        return None
    whens = [When(datetime.fromisoformat(due_at), timezone, rule) for due_at, timezone, rule in state["whens"]]
    return Proposal(state["task"], whens, state["language"])
