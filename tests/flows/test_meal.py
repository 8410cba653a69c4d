"""Meals on Discord, on the engine: from pictures and texts, corrected, taken back, and drawn."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from channel_stubs import NtfyStub
from discord_stub import DiscordStub, Refusal
from engine_client import Engine, until
from kestra_server import DECOY, Server
from llm_stub import LlmStub, drawn, png, recorded
from meal_answers import RICE, TINY_JPEG, form, message, weigh

from fitness_buddy.core.retry import ATTEMPTS, ATTEMPTS_AWAITED
from fitness_buddy.notify.message import escape_markdown

FLOW = "buddy.ingest.meal"
PLATE = png(40, 30)
BUDDY = png(64, 64)
OATS = "oats with milk: 60 carbs, 12 protein, 7 fat"
_numbers = itertools.count(10**17)


@pytest.fixture
def kitchen(llm: LlmStub) -> Iterator[LlmStub]:
    """A model that sees spaghetti in everything, and draws."""
    llm.answer = lambda asked: drawn(BUDDY) if asked.path.endswith("/images/generations") else weigh(asked)
    yield llm


def post(server: Server, body: Any, key: str = "") -> tuple[int, Any]:
    return server.engine.webhook(FLOW, key or server.secrets["MEAL_WEBHOOK_KEY"], body)


def send(server: Server, text: str = "", *pictures: bytes, message_id: str = "") -> dict[str, Any]:
    """Post a message as the bot does; what the flow answers."""
    status, answer = post(server, message(message_id or str(next(_numbers)), text, *pictures))
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def versions(server: Server, meal_id: str) -> list[dict[str, Any]]:
    found = server.query(f"select payload from raw.meals_entries where record_id = '{meal_id}' order by loaded_at")
    return [json.loads(row["payload"]) for row in found]


def meals_count(server: Server) -> int:
    if not server.query("select 1 from information_schema.tables where table_name = 'meals_entries'"):
        return 0
    return int(server.query("select count(*) as versions from raw.meals_entries")[0]["versions"])


# What cannot be packed: noise in a piece of the file that every reader passes on.
def large_picture() -> bytes:
    """A JPEG of five megabytes."""
    noise = b"\xff\xd8\xff\xdb" + b"\x00\x43" + bytes(65) + TINY_JPEG[2:-2]
    return noise + os.urandom(5 * 2**20).replace(b"\xff", b"\xfe") + b"\xff\xd9"


def test_pictures_are_estimated_stored_answered_and_drawn_in_steps(
    server: Server, engine: Engine, discord: DiscordStub, kitchen: LlmStub
) -> None:
    known = engine.executions(FLOW)
    large = large_picture()
    answer = send(server, "", large, TINY_JPEG)
    assert (answer["outcome"], answer["is_stored"]) == ("noted", True)
    (stored,) = versions(server, answer["meal_id"])
    assert stored["meal_summary"] == "Spaghetti with tomato sauce and a beer"
    assert kitchen.chats[0].pictures == [large, TINY_JPEG]
    words, picture = discord.messages
    assert words.content == answer["answer"]
    assert words.content.startswith("Noted: **Spaghetti with tomato sauce and a beer**")
    assert picture.files == {"meal.png": BUDDY}
    assert "Spaghetti with tomato sauce" in kitchen.images[0].user
    execution = engine.next_execution(FLOW, known)
    assert execution.state == "SUCCESS"
    steps = [
        task.id for task in execution.tasks if task.state == "SUCCESS" and task.id not in {"label", "with_a_picture"}
    ]
    assert steps == ["understand", "estimate", "store", "answer", "draw"]
    # Those of the last task may arrive after those of the others.
    metrics = until(lambda: found if (found := engine.metrics(execution)).get("model_calls_count") == 2 else None)
    assert (metrics["rows_new"], metrics["model_cost_usd"]) == (1, 0)


def test_a_refusal_is_asked_back_in_words(
    server: Server, engine: Engine, discord: DiscordStub, kitchen: LlmStub
) -> None:
    before = meals_count(server)
    kitchen.answers.append(recorded("chat.refusal"))
    known = engine.executions(FLOW)
    answer = send(server, "", PLATE)
    assert (answer["outcome"], answer["is_stored"], answer["meal_id"]) == ("asked", False, "")
    assert engine.next_execution(FLOW, known).state == "SUCCESS"
    (words,) = discord.sent("buddy")
    assert words == answer["answer"]
    assert meals_count(server) == before


def test_the_same_message_again_adds_nothing_and_is_answered_alike(
    server: Server, discord: DiscordStub, kitchen: LlmStub
) -> None:
    once = send(server, "meal", PLATE, message_id="777")
    again = send(server, "meal", PLATE, message_id="777")
    assert again == once
    assert len(versions(server, once["meal_id"])) == 1
    assert (len(kitchen.chats), len(kitchen.images)) == (1, 1)


def test_what_is_unsure_counts_when_it_is_confirmed_and_a_correction_adds_a_version(
    server: Server, discord: DiscordStub, kitchen: LlmStub
) -> None:
    kitchen.answers.append(form(overall_confidence="low"))
    first = send(server, "", PLATE)
    assert (first["outcome"], first["is_stored"]) == ("pending", False)
    assert kitchen.images == []
    short_id = first["meal_id"][:6]
    assert send(server, f"correct {short_id}") | {"answer": ""} == {
        "outcome": "confirmed",
        "meal_id": first["meal_id"],
        "is_stored": True,
        "is_posted": True,
        "answer": "",
    }
    kitchen.answers.append(RICE)
    assert send(server, f"correct {short_id}: it was 200 g rice")["outcome"] == "corrected"
    assert [version["outcome"] for version in versions(server, first["meal_id"])] == [
        "pending",
        "confirmed",
        "corrected",
    ]


# Part of the first one stays as it is in Discord's Markdown: whoever carried it out would say the name of a flow.
def test_what_is_written_is_no_expression_and_no_command(
    server: Server, engine: Engine, discord: DiscordStub, kitchen: LlmStub
) -> None:
    words = "{{ secret('DECOY') }} {{ flow.id }} {% raw %}{{ outputs }} $(exit 9) `exit 9` \"; exit 9"
    answer = send(server, f"meal {words}: 1 carbs, 1 protein, 1 fat")
    (stored,) = versions(server, answer["meal_id"])
    assert stored["description"] == words
    # And what a model writes is none either.
    kitchen.answers.append(form(meal_summary=words, items_0_name=words))
    assert send(server, "", PLATE)["outcome"] == "noted"
    sent = discord.sent("buddy")
    assert not engine.search(DECOY)
    assert all(DECOY not in text for text in sent)
    assert [f"**{escape_markdown(words)}**" in text for text in sent] == [True, False, True, False], (
        "words, picture, twice"
    )


@pytest.mark.parametrize("failure", ["the model", "discord"])
def test_a_meal_that_cannot_be_drawn_is_noted_all_the_same(
    server: Server, engine: Engine, discord: DiscordStub, kitchen: LlmStub, failure: str
) -> None:
    if failure == "the model":
        kitchen.answer = lambda asked: (
            recorded("image.400_policy") if asked.path.endswith("/images/generations") else weigh(asked)
        )
    else:
        # After the words were taken.
        weigh_and_draw = kitchen.answer

        def refuse_then(asked: Any) -> Any:
            if asked.path.endswith("/images/generations"):
                discord.refusals.append(Refusal(400, {"message": "no", "code": 1}))
            return weigh_and_draw(asked)

        kitchen.answer = refuse_then
    known = engine.executions(FLOW)
    answer = send(server, "", PLATE)
    assert (answer["outcome"], answer["is_stored"]) == ("noted", True)
    assert discord.sent("buddy") == [answer["answer"]]
    execution = engine.next_execution(FLOW, known)
    assert execution.state == "WARNING"
    assert execution.states()["draw"] == "FAILED"


def test_with_discord_down_the_webhook_says_soon_that_the_meal_is_stored(
    server: Server, engine: Engine, discord: DiscordStub, ntfy: NtfyStub, kitchen: LlmStub
) -> None:
    discord.refusals.extend(Refusal(503) for _ in range(ATTEMPTS))
    known = engine.executions(FLOW)
    answer = send(server, "", PLATE, message_id="999")
    assert (answer["outcome"], answer["is_stored"], answer["is_posted"]) == ("noted", True, False)
    assert answer["answer"].startswith("Noted: ")
    assert discord.attempts == ATTEMPTS_AWAITED
    execution = engine.next_execution(FLOW, known)
    assert (execution.state, execution.states()["not_posted"]) == ("WARNING", "WARNING")
    engine.wait_for_log(execution, "The reply was not posted", "503")
    # The picture costs, and could not be posted either.
    assert kitchen.images == []
    # The same message again posts it where it is missing.
    discord.refusals.clear()
    assert send(server, "", PLATE, message_id="999")["is_posted"]
    assert discord.sent("buddy")[0] == answer["answer"]
    assert [text.startswith("Noted: ") for text in ntfy.texts].count(True) == 1
    assert len(versions(server, answer["meal_id"])) == 1


@pytest.mark.parametrize("body", [b"", b"meal", [], {"text": "meal"}, {"message_id": "1", "pictures": ["x"]}])
def test_a_body_that_is_no_message_is_answered_with_an_error_and_nothing_is_kept(
    server: Server, discord: DiscordStub, kitchen: LlmStub, body: Any
) -> None:
    before = meals_count(server)
    status, answer = post(server, body)
    assert (status, answer["outcome"], answer["is_stored"]) == (500, "failed", False)
    assert "expected" in answer["answer"]
    assert meals_count(server) == before
    assert discord.messages == []


def test_another_key_is_no_webhook(server: Server, engine: Engine) -> None:
    known = engine.executions(FLOW)
    assert post(server, message("1", OATS), key="planted-webhook-kez")[0] == 404
    assert len(engine.executions(FLOW)) == len(known)


def test_messages_with_numbers_that_come_together_wait_for_each_other_and_for_no_model(
    server: Server, engine: Engine, discord: DiscordStub, llm: LlmStub
) -> None:
    llm.answer = lambda _: recorded("chat.500")
    known = engine.executions(FLOW)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: send(server, f"meal {OATS}", message_id="888"), range(3)))
    assert {answer["outcome"] for answer in answers} == {"noted"}
    assert len({answer["meal_id"] for answer in answers}) == 1
    assert len(versions(server, answers[0]["meal_id"])) == 1
    assert until(lambda: len(engine.executions(FLOW)) == len(known) + 3)
    (first, *_) = engine.executions(FLOW)[len(known) :]
    assert "estimate" not in [task.id for task in first.tasks if task.state == "SUCCESS"]
    assert llm.chats == []
    assert discord.sent("buddy") == [answers[0]["answer"]]
