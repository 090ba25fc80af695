"""Made-up calls of an agent, without a change or with one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ibex.drift.baseline import Baseline
from ibex.drift.detection import examine
from ibex.drift.observation import NO_TOOL, Observation
from ibex.drift.window import BLOCK, WINDOW, Block

TOOLS = ("search", "lookup", "quote", "order", "refund", "escalate", "export", "debug")
_TOOL_SHARES = (0.24, 0.14, 0.08, 0.05, 0.02, 0.008, 0.001, 0.0005)
_SERVED = "model-2030-01-31"


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of calls an agent makes.

    Parameters
    ----------
    session_length: calls of a conversation, on average.
    at_once: conversations that go on at the same time.
    likeness: correlation of the numbers of two calls of one conversation.
    momentum: correlation of the latency of a call with that of the one before, whichever conversation.
    errors: share of single calls that fail.
    bursts: share of calls at which a burst of failures begins, of 6 on average.
    habit: how likely a call uses the tool again that its conversation used before.
    tails: degrees of freedom of latency's distribution (Student's t of the logarithm).
    least_input: input tokens are no fewer than so many standard deviations over their mean, where most calls
        have the same.
    """

    session_length: float = 1.0
    at_once: int = 1
    likeness: float = 0.0
    momentum: float = 0.0
    errors: float = 0.01
    bursts: float = 0.0
    habit: float = 0.0
    tails: float = 4.0
    least_input: float = -math.inf


INDEPENDENT = Kind()
CONVERSATIONS = Kind(
    session_length=4, at_once=5, likeness=0.1, momentum=0.1, errors=0.004, bursts=0.001, habit=0.2
)
ROUGH = Kind(
    session_length=8,
    at_once=10,
    likeness=0.2,
    momentum=0.3,
    errors=0.01,
    bursts=0.003,
    habit=0.3,
    tails=2.5,
)
# 99 % of the calls have the same input tokens, as where a prompt is fixed.
TIES = Kind(least_input=2.33)


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes different.

    Parameters
    ----------
    shift: of the logarithm of one of `NUMBERS`, in its standard deviations; for each.
    new_tool: share of the calls that use a tool never seen before.
    errors: share of calls that fail.
    served: another model's name.
    """

    shift: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    new_tool: float = 0.0
    errors: float | None = None
    served: str = _SERVED


@dataclass(slots=True)
class _Conversation:
    name: str
    left: int
    likeness: np.ndarray
    tool: str = NO_TOOL


@dataclass(slots=True)
class Agent:
    """Calls one after the other, for ever."""

    kind: Kind
    random: np.random.Generator
    change: Change = field(default_factory=Change)
    _open: list[_Conversation] = field(default_factory=list)
    _count: int = 0
    _burst: int = 0
    _load: float = 0.0

    def calls(self, number: int) -> list[Observation]:
        return list(self._calls(number))

    def _calls(self, number: int) -> Iterator[Observation]:
        kind, random, change = self.kind, self.random, self.change
        noise = random.standard_normal((number, 4))
        tails = random.standard_t(kind.tails, number)
        drawn = random.random((number, 6))
        tools = random.choice(len(TOOLS) + 1, number, p=(*_TOOL_SHARES, 1.0 - sum(_TOOL_SHARES)))
        # So that a standard deviation of latency is one, where it has one.
        spread = math.sqrt(kind.tails / (kind.tails - 2.0))
        for index in range(number):
            self._count += 1
            talk = self._conversation()
            fails = drawn[index, 0] < (kind.errors if change.errors is None else change.errors)
            if self._burst == 0 and drawn[index, 1] < kind.bursts:
                self._burst = int(random.geometric(1 / 6))
            if self._burst > 0:
                self._burst -= 1
                fails = True
            if fails:
                yield Observation(float(self._count), talk.name, (None,) * 4, (("error",), *(None,) * 5))
                continue
            self._load = kind.momentum * self._load + math.sqrt(1 - kind.momentum**2) * tails[index] / spread
            own = math.sqrt(1.0 - kind.likeness)
            alike = math.sqrt(kind.likeness)
            z = own * noise[index] + alike * talk.likeness
            z[0] = own * self._load + alike * talk.likeness[0]
            # Latency and characters go with tokens.
            z[0] = 0.6 * z[1] + 0.8 * z[0]
            z[2] = 0.9 * z[1] + math.sqrt(1 - 0.81) * z[2]
            z[3] = max(z[3], kind.least_input)
            z += np.array(change.shift)
            tool = TOOLS[tools[index]] if tools[index] < len(TOOLS) else NO_TOOL
            if drawn[index, 2] < kind.habit:
                tool = talk.tool
            if drawn[index, 3] < change.new_tool:
                tool = "delete_everything"
            before, talk.tool = talk.tool, tool
            order = () if before == tool == NO_TOOL else (f"{before} → {tool}",)
            reason = "stop" if tool == NO_TOOL else "tool_calls"
            if drawn[index, 4] < 0.02:
                reason = "length" if drawn[index, 5] < 0.95 else "content_filter"
            refused = ("refusal",) if drawn[index, 5] > 0.998 else ()
            numbers = (7.0 + 0.6 * z[0], 5.0 + 0.8 * z[1], 6.4 + 0.8 * z[2], 6.0 + 0.5 * z[3])
            yield Observation(
                float(self._count),
                talk.name,
                tuple(map(float, numbers)),
                ((), refused, (tool,), order, (reason,), (change.served,)),
            )

    def _conversation(self) -> _Conversation:
        random = self.random
        if len(self._open) < self.kind.at_once:
            length = int(random.geometric(1.0 / self.kind.session_length))
            self._open.append(_Conversation(str(self._count), length, random.standard_normal(4)))
        chosen = self._open[int(random.integers(len(self._open)))]
        chosen.left -= 1
        if chosen.left == 0:
            self._open.remove(chosen)
        return chosen


def blocks(baseline: Baseline, observations: Sequence[Observation]) -> Iterator[Block]:
    for start in range(0, len(observations) - BLOCK + 1, BLOCK):
        some = observations[start : start + BLOCK]
        yield Block.of(some, baseline.scores(some))


@dataclass(frozen=True, slots=True)
class Alarm:
    """After how many calls which features were found to have changed."""

    calls: int
    features: tuple[str, ...]


def alarms(baseline: Baseline, observations: Sequence[Observation]) -> list[Alarm]:
    """As an agent has that is watched anew after each."""
    found = []
    window: list[Block] = []
    for number, block in enumerate(blocks(baseline, observations), 1):
        window = [*window, block][-WINDOW:]
        changed = [each for each in examine(baseline, window) if each.excess >= 1.0]
        if changed:
            found.append(Alarm(number * BLOCK, tuple(each.feature for each in changed)))
            window = []
    return found


def delay(kind: Kind, change: Change, seed: int, *, learned: int, quiet: int, until: int) -> Alarm | None:
    """The first alert after the beginning of a change; None when there is none `until` so many calls."""
    agent = Agent(kind, np.random.default_rng(seed))
    baseline = Baseline.of(agent.calls(learned))
    window = list(blocks(baseline, agent.calls(quiet)))[-WINDOW:]
    agent.change = change
    for number, block in enumerate(blocks(baseline, agent.calls(until)), 1):
        window = [*window, block][-WINDOW:]
        changed = tuple(each.feature for each in examine(baseline, window) if each.excess >= 1.0)
        if changed:
            return Alarm(number * BLOCK, changed)
    return None


def false_alarms(kind: Kind, seed: int, *, learned: int, calls: int) -> list[Alarm]:
    """Alerts on calls without a change, each with a baseline of its own."""
    agent = Agent(kind, np.random.default_rng(seed))
    baseline = Baseline.of(agent.calls(learned))
    return alarms(baseline, agent.calls(calls))
