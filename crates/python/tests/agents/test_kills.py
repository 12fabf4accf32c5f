"""Real use of each client, killed again and again: nothing acknowledged is lost, and at most one step runs again.

`PITSTOP_KILLS=200 pytest tests/agents/test_kills.py` kills that often; the default is for CI.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypedDict

import optuna
from claude_agent_sdk import SessionKey
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from pitstop.claude import PitstopSessionStore
from pitstop.langgraph import PitstopSaver
from pitstop.optuna import PitstopJournalBackend

KILLS = int(os.environ.get("PITSTOP_KILLS", "5"))
STEPS = 10**9


def kill_often(work: "Callable[[Path, Connection], None]", directory: Path) -> "list[int]":
    """Starts `work` and kills it at a random moment, again and again. Returns what it acknowledged."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    acknowledged: "list[int]" = []
    for _ in range(KILLS):
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(directory, send))
        process.start()
        send.close()
        # It is in the middle of its work now.
        acknowledged.append(receive.recv())
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -9, "it ended by itself"
        while receive.poll():
            try:
                acknowledged.append(receive.recv())
            except EOFError:
                break
    return acknowledged


class State(TypedDict):
    items: "list[int]"


CONFIG: RunnableConfig = {"configurable": {"thread_id": "graph"}, "recursion_limit": STEPS}


def run_graph(directory: Path, acknowledge: Connection) -> None:
    def step(state: State) -> State:
        with (directory / "ran").open("a") as file:
            file.write(f"{len(state['items'])}\n")
        return {"items": [*state["items"], len(state["items"])]}

    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    builder.add_conditional_edges("step", lambda state: END if len(state["items"]) == STEPS else "step")
    with PitstopSaver(directory / "store") as saver:
        graph = builder.compile(checkpointer=saver)
        begin: Any = None if saver.get_tuple(CONFIG) else {"items": []}
        for update in graph.stream(begin, CONFIG, stream_mode="values", durability="sync"):
            # A value is given once the step before it is stored.
            if len(update["items"]) > 1:
                acknowledge.send(len(update["items"]) - 2)


def test_a_graph_loses_no_step(tmp_path: Path) -> None:
    acknowledged = kill_often(run_graph, tmp_path)
    with PitstopSaver(tmp_path / "store") as saver:
        newest = saver.get_tuple(CONFIG)
        assert newest is not None
        items = newest.checkpoint["channel_values"]["items"]
        assert items == list(range(len(items))) and len(items) > max(acknowledged)
        chain = list(saver.list(CONFIG))
        assert [it.parent_config for it in chain[:-1]] == [it.config for it in chain[1:]]
    ran = Counter(int(line) for line in (tmp_path / "ran").read_text().split())
    # Each kill repeats at most the step in which it came.
    assert sum(count - 1 for count in ran.values()) <= KILLS


KEY: SessionKey = {"project_key": "project", "session_id": "agent"}


def run_agent(directory: Path, acknowledge: Connection) -> None:
    """An agent loop: a model that is a script answers each message."""

    async def run() -> None:
        store = PitstopSessionStore(directory)
        entries: "list[Any]" = await store.load(KEY) or []
        for turn in range(len(entries) // 2, STEPS):
            question = {"type": "user", "uuid": f"q{turn}", "message": {"content": f"question {turn}"}}
            answer = {"type": "assistant", "uuid": f"a{turn}", "message": {"content": f"answer {turn}" * 50}}
            await store.append(KEY, [question, answer])  # type: ignore[list-item]
            acknowledge.send(turn)

    asyncio.run(run())


def test_an_agent_loses_no_entry(tmp_path: Path) -> None:
    acknowledged = kill_often(run_agent, tmp_path)
    entries = asyncio.run(PitstopSessionStore(tmp_path).load(KEY)) or []
    turns = len(entries) // 2
    assert [it["uuid"] for it in entries] == [f"{kind}{turn}" for turn in range(turns) for kind in "qa"]
    assert acknowledged == sorted(set(acknowledged)) and turns > max(acknowledged)


def run_study(directory: Path, acknowledge: Connection) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(PitstopJournalBackend(directory))
    study = optuna.create_study(storage=storage, study_name="study", load_if_exists=True)

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", -1, 1) ** 2

    def tell(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        acknowledge.send(trial.number)

    study.optimize(objective, n_trials=STEPS, callbacks=[tell])


def test_a_study_loses_no_trial(tmp_path: Path) -> None:
    acknowledged = kill_often(run_study, tmp_path)
    storage = JournalStorage(PitstopJournalBackend(tmp_path))
    trials = optuna.load_study(storage=storage, study_name="study").trials
    complete = {it.number for it in trials if it.state == TrialState.COMPLETE}
    assert set(acknowledged) <= complete
    assert [it.number for it in trials] == list(range(len(trials)))
    # Each kill leaves at most the trial in which it came.
    assert len(trials) - len(complete) <= KILLS
