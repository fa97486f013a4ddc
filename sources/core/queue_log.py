"""
Asterisk's `queue_log` as facts.

The log has no wrap, no hold (it lies inside the call time) and no states: wrap is a fixed number of seconds where the
floor has one, and states are derived from calls, pauses and memberships. So the parser remembers what is open; its
memory can be saved and loaded, for a reader that goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.events import (
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    ContactRejected,
    FloorEvent,
    State,
    StateChanged,
)
from schemas.times import from_ms
from sources.core.clocks import TOLERATED_S, clamped
from sources.core.own import fault_of
from sources.core.parsed import Accepted, FieldFault, Parsed, Resolve, Skipped, content_hash, rejected
from sources.core.queue_log_line import NOBODY, Line, check_first, split_line
from sources.core.queue_log_memory import Agent, Memory, Talk

LONGEST_WRAP_S = 120
"""A contact is sent when its call ends, `at` the end of its wrap: further ahead it would be refused as future."""

Why = Literal["timeout", "key", "empty", "withdrawn", "other"]
Facts = list[FloorEvent]


class QueueLogParser:
    """Reads lines in the order of the log; its events belong to `source`."""

    def __init__(self, resolve: Resolve, source: str = "queue_log", wrap_s: int = 0) -> None:
        """`wrap_s`: seconds of wrap after each call, 0 to `LONGEST_WRAP_S`."""
        if not 0 <= wrap_s <= LONGEST_WRAP_S:
            raise InputError(f"wrap: expected 0 to {LONGEST_WRAP_S} seconds, found {wrap_s}")
        self._resolve = resolve
        self._source = source
        self._wrap_s = wrap_s
        self.memory = Memory()
        self.next_from: int | None = None
        """Second at which the next file of the same log begins; None: there is none, or it is not known."""

    def parse(self, lines: Iterable[bytes]) -> Iterator[Parsed]:
        """
        What each line of a finished file holds. InputError where its first line is of another format.

        It goes on from the file that was parsed before where it begins after that, within `LONGEST_GAP_S`.
        """
        number = 0
        for number, raw in enumerate(lines, start=1):
            if number == 1:
                self._go_on(check_first(raw).second)
            yield from self.feed(number, raw)
        if self.next_from is None or not self.memory.goes_on(self.next_from):
            last = max(self.memory.wrapping.values(), default=0)
            yield from self.pass_time(last, number)

    def _go_on(self, second: int) -> None:
        if not self.memory.goes_on(second):
            self.memory = Memory()

    def feed(self, number: int, raw: bytes) -> list[Parsed]:
        """What the next line holds, after what came true before it."""
        if not raw.strip():
            return []
        try:
            line = split_line(raw)
        except FieldFault as fault:
            return [rejected(number, fault, raw)]
        found = [*self.pass_time(line.second, number), *self._told(number, line, raw)]
        self.memory.second = line.second
        return found

    def _told(self, number: int, line: Line, raw: bytes) -> list[Parsed]:
        """What a line says itself."""
        handler = _VERBS.get(line.verb)
        if handler is None:
            return [Skipped(number, line.verb if line.verb in _SILENT else "unknown verb")]
        try:
            facts = handler(self, line)
        except FieldFault as fault:
            return [rejected(number, fault, raw)]
        except ValidationError as error:
            return [rejected(number, fault_of(error), raw)]
        said: list[Parsed] = [Accepted(fact, _content(fact, raw), number) for fact in facts]
        return said or [Skipped(number, f"{line.verb} without news")]

    def pass_time(self, second: int, number: int = 0) -> list[Accepted]:
        """The wraps that have ended by a second (inclusive)."""
        ended = [(end, key) for key, end in self.memory.wrapping.items() if end <= second]
        facts: Facts = []
        for end, key in sorted(ended):
            del self.memory.wrapping[key]
            facts += self._free(Agent(key, key), end)
        return [Accepted(fact, _content(fact, b""), number) for fact in facts]

    def _entered(self, line: Line) -> Facts:
        offered = ContactOffered(**self._contact(line))
        self.memory.waiting[line.place] = line.second
        return [offered]

    def _connected(self, line: Line) -> Facts:
        agent, fields, waited = self._agent(line), self._contact(line), line.number(0, "holdtime")
        rang = line.number(2, "ringtime") if len(line.data) > 2 else 0
        known = self._known(agent.name, line.second)
        answered = ContactAnswered(**fields, agent=known, waited_s=waited)
        accepted = ContactAccepted(**fields, agent=known, rang_s=rang)
        self.memory.waiting.pop(line.place, None)
        self.memory.wrapping.pop(agent.key, None)
        self._forget_talks(agent)
        self.memory.talking[line.call] = Talk(agent=agent.key, queue=line.queue, since=line.second, waited=waited)
        return [answered, accepted, *self._say(agent, "on_contact", line.second)]

    def _completed(self, line: Line) -> Facts:
        return self._handled(line, line.number(0, "holdtime"), line.number(1, "calltime"))

    def _transferred(self, line: Line) -> Facts:
        """A transfer ends the agent's leg, no COMPLETE follows; its fields count from the right."""
        return self._handled(line, line.number(-3, "holdtime"), line.number(-2, "calltime"), transferred=True)

    def _handled(self, line: Line, waited: int, talked: int, *, transferred: bool = False) -> Facts:
        agent, ended = self._agent(line), line.second + self._wrap_s
        handled = ContactHandled(
            **{**self._contact(line), "at": from_ms(ended * 1000)},
            agent=self._known(agent.name, line.second),
            started_at=from_ms((line.second - talked) * 1000),
            waited_s=waited,
            talk_s=talked,
            wrap_s=self._wrap_s,
            transferred=transferred,
        )
        if not self._hangs_up(agent, line):
            return [handled]
        if not self._wrap_s:
            return [handled, *self._free(agent, line.second)]
        self.memory.wrapping[agent.key] = ended
        return [handled, *self._say(agent, "wrap", line.second)]

    def _hangs_up(self, agent: Agent, line: Line) -> bool:
        """Whether the end of a call ends what the agent does: not while they have another, nor when it comes late."""
        talk = self.memory.talking.get(line.call)
        if talk is not None and talk.agent == agent.key:
            del self.memory.talking[line.call]
        state, _ = self.memory.states.get(agent.key, ("on_contact", ""))
        return state == "on_contact" and not self._talks(agent, line.second)

    def _abandoned(self, line: Line) -> Facts:
        left = ContactAbandoned(**self._contact(line), **self._wait(line, 2))
        self.memory.waiting.pop(line.place, None)
        return [left]

    def _flowed_out(self, line: Line, why: Why, wait_at: int) -> Facts:
        left = ContactFlowedOut(**self._contact(line), **self._wait(line, wait_at), why=why)
        self.memory.waiting.pop(line.place, None)
        return [left]

    def _wait(self, line: Line, index: int) -> dict[str, Any]:
        """The wait as the line tells it, else the time since the call entered."""
        entered = self.memory.waiting.get(line.place)
        if entered is None or index < len(line.data):
            return {"waited_s": line.number(index, "waittime")}
        return _since("waited_s", entered, line.second)

    def _not_taken(self, line: Line) -> Facts:
        """RINGNOANSWER counts in ms, where CONNECT counts in seconds."""
        rang_ms = line.number(0, "ringtime") if line.data else 0
        agent, fields = self._agent(line).name, self._contact(line)
        fields["id"] = f"{fields['id']}-{agent}-{rang_ms}"
        return [ContactRejected(**fields, agent=self._known(agent, line.second), rang_s=rang_ms / 1000)]

    def _called_out(self, line: Line) -> Facts:
        if line.data[:1] != ("ANSWER",):
            return []
        talked = line.number(1, "talktime")
        started_at = from_ms((line.second - talked) * 1000)
        fields, known = self._contact(line), self._known(self._agent(line).name, line.second)
        return [ContactHandled(**fields, agent=known, direction="outbound", started_at=started_at, talk_s=talked)]

    def _logged_in(self, line: Line) -> Facts:
        agent = self._agent(line)
        self.memory.leaving.discard(agent.key)
        queues = self.memory.queues.setdefault(agent.key, [])
        is_first = not queues
        queues.extend([line.queue] if line.queue not in queues else [])
        if line.data[:1] == ("PAUSED",):
            self.memory.paused.setdefault(agent.key, "")
        return self._free(agent, line.second) if is_first and not self._talks(agent, line.second) else []

    def _logged_out(self, line: Line) -> Facts:
        """Who logs out of the last queue is offline; while a call lasts, after it."""
        agent = self._agent(line)
        left = [queue for queue in self.memory.queues.pop(agent.key, []) if queue != line.queue]
        if left and line.verb == "REMOVEMEMBER":
            self.memory.queues[agent.key] = left
            return []
        self.memory.paused.pop(agent.key, None)
        if self._talks(agent, line.second):
            self.memory.leaving.add(agent.key)
            return []
        self.memory.wrapping.pop(agent.key, None)
        return self._say(agent, "offline", line.second)

    def _paused(self, line: Line) -> Facts:
        """Each queue of the agent writes its own line; while a call lasts, the pause begins after it."""
        agent = self._agent(line)
        self.memory.paused[agent.key] = "|".join(line.data)[:100]
        if self._talks(agent, line.second):
            return []
        self.memory.wrapping.pop(agent.key, None)
        return self._free(agent, line.second)

    def _unpaused(self, line: Line) -> Facts:
        agent = self._agent(line)
        was_paused = self.memory.paused.pop(agent.key, None) is not None
        is_unknown = agent.key not in self.memory.states
        if self._talks(agent, line.second) or not (was_paused or is_unknown):
            return []
        return self._free(agent, line.second)

    def _restarted(self, line: Line) -> Facts:
        """Asterisk knows of no call and no agent when it starts: what is open here ends."""
        old = self.memory
        facts: Facts = []
        for place, entered in old.waiting.items():
            call, _, queue = place.partition("|")
            fields = self._fields(call, queue, line.second) | _since("waited_s", entered, line.second)
            facts.append(ContactFlowedOut(**fields, why="other"))
        open_ = [(call, talk) for call, talk in old.talking.items() if talk.lasts(line.second)]
        facts += [self._cut_off(call, talk, line.second) for call, talk in open_]
        self.memory = Memory(said=old.said, names=old.names)
        for key, (state, _) in old.states.items():
            facts += self._say(Agent(key, key), "offline", line.second, "restart") if state != "offline" else []
        return facts

    def _cut_off(self, call: str, talk: Talk, second: int) -> ContactHandled:
        return ContactHandled(
            **self._fields(call, talk.queue, second),
            agent=self._known(talk.agent, second),
            started_at=from_ms(talk.since * 1000),
            waited_s=talk.waited,
            **_since("talk_s", talk.since, second),
            outcome="restart",
        )

    def _free(self, agent: Agent, second: int) -> Facts:
        """What an agent without a call does: offline after a logout, away where a pause stands, else ready."""
        if agent.key in self.memory.leaving:
            self.memory.leaving.discard(agent.key)
            return self._say(agent, "offline", second)
        if agent.key in self.memory.paused:
            return self._say(agent, "away", second, self.memory.paused[agent.key])
        return self._say(agent, "ready", second)

    def _say(self, agent: Agent, state: State, second: int, reason: str = "") -> Facts:
        if self.memory.states.get(agent.key) == (state, reason):
            return []
        fact = StateChanged(
            source=self._source,
            id=self._state_id(agent, second, f"{state}-{reason}"),
            at=from_ms(second * 1000),
            agent=self._known(agent.name, second),
            state=state,
            reason=reason or None,
        )
        self.memory.states[agent.key] = (state, reason)
        return [fact]

    def _state_id(self, agent: Agent, second: int, entered: str) -> str:
        """Numbered from the second time on that an agent enters a state within a second: each time is a fact."""
        last, ids = self.memory.said.get(agent.key, (second, []))
        said = ids if last == second else []
        id_ = f"{agent.name}-{second}-{entered}"
        self.memory.said[agent.key] = (second, [*said, id_])
        times = said.count(id_)
        return f"{id_[:190]}-{times + 1}" if times else id_[:200]

    def _talks(self, agent: Agent, second: int) -> bool:
        return any(talk.agent == agent.key and talk.lasts(second) for talk in self.memory.talking.values())

    def _forget_talks(self, agent: Agent) -> None:
        """
        Who is connected has left the call before, of whose end the log tells late or never.

        The call of a transfer over a Local channel ends in it with the talk of others, one that was redirected nowhere.
        """
        self.memory.talking = {call: talk for call, talk in self.memory.talking.items() if talk.agent != agent.key}

    def _agent(self, line: Line) -> Agent:
        """The agent of a line; FieldFault where it names none."""
        if line.agent in {NOBODY, ""}:
            raise FieldFault("agent", "the name of an agent", line.agent)
        known = self._known(line.agent, line.second)
        return Agent(line.agent, self.memory.names.setdefault(known, line.agent))

    def _known(self, agent: str, second: int) -> str:
        """The roster's id of a name; ids of facts are made of the name, which stays when the roster changes."""
        return self._resolve(self._source, agent, second * 1000)

    def _contact(self, line: Line) -> dict[str, Any]:
        call, _, queue = line.place.partition("|")
        return self._fields(call, queue, line.second)

    def _fields(self, call: str, queue: str, second: int) -> dict[str, Any]:
        return {
            "source": self._source,
            "id": f"{call}-{queue}-{second}",
            "at": from_ms(second * 1000),
            "contact": call,
            "queue": queue,
        }


def _since(name: str, start: int, end: int) -> dict[str, Any]:
    """A duration as the field `name`; FieldFault where it is more negative than two clocks explain."""
    if end - start < -TOLERATED_S:
        raise FieldFault("time", f"at most {TOLERATED_S} s before what it ends, {start}", str(end))
    return {name: max(0, end - start), "clamped_s": clamped(end - start)}


def _content(fact: FloorEvent, raw: bytes) -> str:
    """A state is said once for several lines, or by time alone, so its own id stands for what the vendor said."""
    return content_hash(fact.id.encode() if isinstance(fact, StateChanged) else raw.rstrip(b"\r\n"))


_Handler = Callable[[QueueLogParser, Line], Facts]


def _leaving(why: Why, wait_at: int) -> _Handler:
    return partial(QueueLogParser._flowed_out, why=why, wait_at=wait_at)


_VERBS: dict[str, _Handler] = {
    "ENTERQUEUE": QueueLogParser._entered,
    "CONNECT": QueueLogParser._connected,
    "COMPLETEAGENT": QueueLogParser._completed,
    "COMPLETECALLER": QueueLogParser._completed,
    "BLINDTRANSFER": QueueLogParser._transferred,
    "ATTENDEDTRANSFER": QueueLogParser._transferred,
    "TRANSFER": QueueLogParser._transferred,
    "ABANDON": QueueLogParser._abandoned,
    "EXITWITHTIMEOUT": _leaving("timeout", 2),
    "EXITWITHKEY": _leaving("key", 3),
    "EXITEMPTY": _leaving("empty", 2),
    "WITHDRAW": _leaving("withdrawn", 2),
    "SYSCOMPAT": _leaving("other", 0),
    "RINGNOANSWER": QueueLogParser._not_taken,
    "AGENTDUMP": QueueLogParser._not_taken,
    "ADDMEMBER": QueueLogParser._logged_in,
    "AGENTLOGIN": QueueLogParser._logged_in,
    "AGENTCALLBACKLOGIN": QueueLogParser._logged_in,
    "REMOVEMEMBER": QueueLogParser._logged_out,
    "AGENTLOGOFF": QueueLogParser._logged_out,
    "AGENTCALLBACKLOGOFF": QueueLogParser._logged_out,
    "PAUSE": QueueLogParser._paused,
    "UNPAUSE": QueueLogParser._unpaused,
    "OUTCALL": QueueLogParser._called_out,
    "QUEUESTART": QueueLogParser._restarted,
}
_SILENT = {"RINGCANCELED", "PENALTY", "RINGINUSE", "CONFIGRELOAD", "PAUSEALL", "UNPAUSEALL"}
"""
Known verbs that say nothing of contacts or states. Asterisk writes PAUSEALL before the lines of the queues, without
their reason and by the agent's interface instead of the name.
"""
