"""The steps of the flow `meal`, each a process of its own: together they do what the command does in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from channel_stubs import NtfyStub, running_ntfy
from llm_stub import LlmStub, png, recorded, running_llm
from meal_answers import form, message, weigh
from support import Answer, run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import connect

NOW = "2026-11-20T18:30:00+00:00"
PLATE = png(20, 10)
OATS = "meal oats with milk: 60 carbs, 12 protein, 7 fat"


@dataclass
class Kitchen:
    """A warehouse, a model that sees spaghetti in everything, and a channel."""

    folder: Path
    llm: LlmStub
    ntfy: NtfyStub

    def run(self, *words: str | Path) -> Answer:
        return run_buddy("meal", *words, "--now", NOW, "--json")

    def request(self, message_id: str, text: str, *pictures: bytes) -> Path:
        path = self.folder / f"{message_id}.json"
        path.write_text(json.dumps(message(message_id, text, *pictures)))
        return path

    def step(self, step: str, message_id: str) -> Answer:
        files: tuple[str | Path, ...] = ("--draft", self.folder / f"{message_id}.draft.json")
        if step in {"understand", "estimate"}:
            files += ("--request", self.folder / f"{message_id}.json")
        return self.run("step", step, *files)

    def draft(self, message_id: str) -> dict[str, Any]:
        """Take the steps that write the draft; the answer of the last one."""
        answer = self.step("understand", message_id).json
        return self.step("estimate", message_id).json if answer["is_to_estimate"] else answer

    def in_steps(self, message_id: str) -> dict[str, Any]:
        """Take a message's steps as the flow does; what the flow answers."""
        understood = self.draft(message_id)
        stored = self.step("store", message_id).json if understood["is_to_store"] else {}
        answered = self.step("answer", message_id).json
        return {**understood, **stored, "message": answered["message"], "outcome": answered["outcome"]}

    def payloads(self) -> list[dict[str, Any]]:
        """Every version of every meal, without the instants of its load."""
        warehouse = connect(load_settings())
        if "meals_entries" not in warehouse.raw_tables():
            return []
        found = warehouse.query("select record_id, payload, payload_hash from raw.meals_entries order by loaded_at")
        loads = [{**json.loads(row["payload"]), "hash": row["payload_hash"]} for row in found]
        # Two loads of one instant are a microsecond apart, and note it.
        return [{name: value for name, value in one.items() if name not in {"noted_at", "hash"}} for one in loads]


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kitchen]:
    with running_llm() as llm, running_ntfy() as ntfy:
        for name, value in llm.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BUDDY_NOTIFY", ntfy.address())
        llm.answer = weigh
        yield Kitchen(tmp_path, llm, ntfy)


CONVERSATIONS: dict[str, list[tuple[str, bytes | None]]] = {
    "numbers": [(OATS, None)],
    "a picture": [("", PLATE)],
    "numbers, corrected in words, deleted": [(OATS, None), ("correct: with honey", None), ("delete meal", None)],
    "several meals": [("meal porridge: 60 carbs, 12 protein, 7 fat\nmeal soup: 20 carbs, 5 protein, 3 fat", None)],
    "stated and estimated": [("meal porridge: 60 carbs, 12 protein, 7 fat\nmeal spaghetti", None)],
    "nothing": [("meal", None)],
    "unknown": [("correct 3f2a1c: 10 carbs, 1 protein, 1 fat", None)],
    "a picture, confirmed": [("", PLATE), ("correct", None)],
}


@pytest.mark.parametrize("said", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_steps_of_a_message_do_what_the_command_does_in_one(
    kitchen: Kitchen, said: list[tuple[str, bytes | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = {}
    for way in ("one", "steps"):
        monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / f"{way}.duckdb"))
        kitchen.ntfy.notes.clear()
        kitchen.llm.forget()
        kitchen.llm.answer = weigh
        answers = []
        for number, (text, picture) in enumerate(said):
            request = kitchen.request(f"m{number}", text, *([picture] if picture else []))
            whole = kitchen.run("request", request, "--post").json if way == "one" else kitchen.in_steps(f"m{number}")
            names = ("outcome", "message", "meal_id", "meal_ids", "is_stored", "confidence", "reason")
            answers.append({name: whole[name] for name in names} | {"drawn": whole.get("is_to_draw", False)})
        outcomes[way] = (answers, kitchen.payloads(), kitchen.ntfy.texts, len(kitchen.llm.chats))
    assert outcomes["one"] == outcomes["steps"]


def test_a_step_that_is_repeated_stores_and_posts_nothing_again(kitchen: Kitchen) -> None:
    kitchen.request("m", "", PLATE)
    understood = kitchen.draft("m")
    assert (understood["is_to_store"], understood["is_stored"]) == (True, False)
    assert kitchen.payloads() == []
    first, second = (kitchen.step("store", "m").json for _ in range(2))
    assert [(one["rows_new"], one["is_stored"]) for one in (first, second)] == [(1, True), (0, True)]
    assert [kitchen.step("answer", "m").json["delivered_count"] for _ in range(2)] == [1, 0]
    assert (len(kitchen.payloads()), len(kitchen.ntfy.texts)) == (1, 1)
    # The message again: nothing is asked, stored or posted, and the reply is the same.
    again = kitchen.in_steps("m")
    assert (again["message"], again["is_stored"], again["is_to_store"]) == (understood["message"], True, False)
    assert (len(kitchen.payloads()), len(kitchen.ntfy.texts), len(kitchen.llm.chats)) == (1, 1, 1)


def test_only_the_step_that_estimates_asks_the_model(kitchen: Kitchen) -> None:
    kitchen.llm.answer = lambda _: recorded("chat.500")
    kitchen.request("m", OATS)
    assert kitchen.in_steps("m")["outcome"] == "noted"
    kitchen.request("n", "meal soup")
    answer = kitchen.step("understand", "n").json
    assert (answer["is_to_estimate"], answer["is_to_store"]) == (True, False)
    assert kitchen.llm.chats == []
    assert not (kitchen.folder / "n.draft.json").exists()
    kitchen.llm.answer = lambda _: form(overall_confidence="low")
    estimated = kitchen.step("estimate", "n").json
    assert (estimated["outcome"], estimated["model_calls_count"]) == ("pending", 1)


def test_a_meal_that_changed_since_it_was_understood_is_not_overwritten(kitchen: Kitchen) -> None:
    kitchen.request("m", OATS)
    meal_id = kitchen.in_steps("m")["meal_id"]
    kitchen.request("n", f"correct {meal_id}: rice: 58 carbs, 5 protein, 1 fat")
    assert kitchen.draft("n")["outcome"] == "corrected"
    assert kitchen.run("delete", meal_id).exit_code == 0
    before = kitchen.payloads()
    refused = kitchen.step("store", "n")
    assert refused.exit_code == 3
    assert "another message has changed it since this one was understood, and nothing is stored" in refused.errors
    assert kitchen.payloads() == before


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"message_id": "m", "meals": [1]}', "{" * 9])
def test_a_file_that_is_no_draft_is_refused(kitchen: Kitchen, content: str | None) -> None:
    if content is not None:
        (kitchen.folder / "m.draft.json").write_text(content)
    for step in ("store", "answer"):
        refused = kitchen.step(step, "m")
        assert (refused.exit_code, "m.draft.json: " in refused.errors) == (1, True)
    assert kitchen.ntfy.texts == []


def test_a_step_without_its_message_is_a_wrong_use(kitchen: Kitchen) -> None:
    refused = kitchen.run("step", "understand", "--draft", kitchen.folder / "d.json")
    assert (refused.exit_code, "--request FILE" in refused.errors) == (2, True)
