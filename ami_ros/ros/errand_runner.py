"""Carries out one errand: legs to the planner, questions to memory, and what must survive to the disk."""

from __future__ import annotations

import time

from ami_ros.errors import AmiError
from ami_ros.planning.codes import Code as GoalCode
from ami_ros.planning.errand import Errand, Phase, View
from ami_ros.planning.mission_codes import Code
from ami_ros.planning.mission_file import MissionFile
from ami_ros.ros.leg_client import LegClient
from ami_ros.ros.route_client import RouteClient


class ErrandRunner:
    """Call `tick` some times a second.

    Args:
        legs: drives.
        routes: asks memory.
        file: of the errand.
        silence: [s] without a word from the planner, from which it counts as gone.
        patience: [s] without a planner, after which the errand is suspended.

    Attributes:
        errand: under way, or done and not yet fetched; None: nothing to do.
        suspended: why the errand was left as it is, to be resumed; then it is no longer under way.
        notice: what it waits for, for people; empty: nothing.
    """

    def __init__(
        self, legs: LegClient, routes: RouteClient, file: MissionFile, silence: float, patience: float
    ) -> None:
        self._legs, self._routes, self._file, self._silence, self._patience = legs, routes, file, silence, patience
        self.errand: Errand | None = None
        self.suspended: AmiError | None = None
        self.notice = ""
        self._saved = -1
        self._alone_since: float | None = None

    def begin(self, errand: Errand) -> None:
        """Takes up an errand in place of the one under way."""
        self._routes.forget()
        self._legs.cancel()
        self.errand, self.suspended, self._saved, self._alone_since = errand, None, -1, None

    def tick(self, view: View, encoder_id: str) -> None:
        """Does what is due. `encoder_id`: of memory's latents, empty as long as nothing was heard of it."""
        errand = self.errand
        if errand is None or self.suspended is not None:
            return
        self._hear(errand, view.stamp)
        if self._planner_is_there(errand):
            self._advance(errand, view, encoder_id)
        if errand.phase is Phase.DONE:
            self._legs.cancel()
        self._save(errand)

    def stop(self, code: Code, message: str) -> None:
        """Ends the errand for good; the robot stands."""
        if self.errand is not None and self.suspended is None:
            self.errand.finish(code, message)
            self._legs.cancel()
            self._routes.forget()
            self._save(self.errand)

    def suspend(self, code: Code, message: str) -> None:
        """Leaves the errand as it is on disk; the robot stands."""
        self._legs.cancel()
        self._routes.forget()
        if self.errand is not None and self.suspended is None:
            self.suspended = AmiError(message, code)

    def _hear(self, errand: Errand, stamp: float) -> None:
        """What became of the leg."""
        outcome = self._legs.take_outcome()
        if outcome is not None:
            if outcome.code == GoalCode.PREEMPTED:
                errand.finish(Code.TAKEN_OVER, f"left to somebody else: {outcome.message}")
            elif outcome.code == GoalCode.DEACTIVATED:
                errand.interrupted()
            else:
                errand.ended(outcome.leg, outcome.succeeded, outcome.code, outcome.message, stamp)
        elif self._legs.silence > self._silence:
            self._legs.cancel()
            errand.interrupted()

    def _planner_is_there(self, errand: Errand) -> bool:
        if self._legs.ready:
            self._alone_since, self.notice = None, ""
            return True
        if self._alone_since is None:
            self._alone_since = time.monotonic()
        self.notice = "waiting for the planner"
        if self._legs.leg is not None:
            self._legs.cancel()
            errand.interrupted()
        if time.monotonic() - self._alone_since > self._patience:
            self.suspend(Code.PLANNER_GONE, f"no planner for {self._patience:.0f} s; start it, then send kind RESUME")
        return False

    def _advance(self, errand: Errand, view: View, encoder_id: str) -> None:
        if self._routes.pending:
            answers = self._routes.poll()
            if answers is None:
                return
            errand.set_routes(answers)
        step = errand.step(view)
        if step.wants_routes:
            self._routes.ask(step.wants_routes, encoder_id)
        if step.leg is not None:
            self._legs.send(step.leg)

    def _save(self, errand: Errand) -> None:
        if errand.revision == self._saved:
            return
        self._saved = errand.revision
        try:
            self._file.save(errand)
        except AmiError as error:
            self.suspend(Code.BAD_FILE, str(error))
