"""What the tracker takes for granted; one place for its numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerConfig:
    """How scans become tracks of what moves. Ranges and speeds are those of people and of an indoor laser."""

    min_range: float = 0.25  # [m] from the scanner within which it meets the robot itself
    max_range: float = 10.0  # [m] beyond which nothing is tracked; larger: more beams, and legs that two beams meet
    # Segments
    gap: float = 0.13  # [m] between two points of one thing at least; leg_tracker's cluster_dist_euclid
    widest_gap: float = 0.4  # [m] the same where beams are far apart
    least_points: int = 3  # of a segment, where beams are near enough; leg_tracker's min_points_per_cluster
    coarsest: float = 0.2  # [m] between beams at most; farther off a person is missed too often
    leg: float = 0.11  # [m] width of a leg (Winter, Biomechanics and Motor Control of Human Movement: shins of 11 cm)
    widest: float = 1.2  # [m] of a moving thing; larger takes stretches of wall for one
    wall: float = 1.5  # [m] from which a segment counts as wall: one that "moves" shows an error of odometry
    # Free before, and still there
    remembered: float = 2.4  # [s] for which scans are compared; larger: more sensitive to drift of odometry
    spacing: float = 0.3  # [s] between two scans that are compared: a walker goes on by more than a leg's width
    depth: float = 0.08  # [m] by which a scan must have looked past a point for it to have been free
    depth_share: float = 0.01  # of the distance [m/m], added: a laser's noise, and floors that are not level
    aside: float = 0.015  # [m] that a robot sways while it stands
    turn: float = 0.004  # [rad] that it sways in heading
    drift: float = 0.05  # of the way between two scans, in depth and sideways [m/m]: wheels slip by 2 to 5 %
    turn_drift: float = 0.05  # of all turns between them [rad/rad]
    late: float = 0.05  # [s] that a stamp may be off while the robot turns; larger: blinder in turns
    # Tracks
    acceleration: float = 0.64  # [m/s²] power of the white acceleration of people, as root; see `things.process_noise`
    deviation: float = 0.04  # [m] of the middle of two legs
    one_leg: float = 3.0  # times as much where one is seen
    start_speed: float = 0.8  # [m/s] deviation of an unknown velocity
    gate: float = 0.45  # [m] from a predicted position to a segment of it, beside its doubt: half a stride
    apart: float = 0.35  # [m] two tracks nearer than this are one
    step: float = 0.2  # [m] away from where it was that a thing has left a place
    fastest: float = 3.0  # [m/s]
    lost: float = 1.5  # [s] that a track lives unseen; larger: ghosts, smaller: no memory behind a pillar
    hidden: float = 0.7  # [s] that one is reported unseen
    gone: float = 0.3  # [s] that it lives where a scan looks through it
    # Does it move
    gain: float = 26.0  # [1/s] log-odds for moving while all of a thing lies where it was free before
    loss: float = 1.0  # [1/s] against, while it stays; a person who stops remains one for (most - report) / loss [s]
    slow: float = 0.15  # [m/s] below which it stays, whatever scans say
    most: float = 5.0  # log-odds, and least is -most
    certain: float = 3.0  # log-odds from which it need not have come `step` to be reported
    report: float = 1.6  # log-odds from which it is reported
    radius: float = 0.3  # [m] least, of a person: shoulders are 0.45 to 0.6 m wide (Panero and Zelnik 1979)

    def __post_init__(self) -> None:
        if min(self.gap, self.spacing, self.deviation, self.max_range, self.least_points) <= 0:
            raise ValueError("gap, spacing, deviation, max_range and least_points must be positive")
        if not self.report < self.most:
            raise ValueError(f"report ({self.report}) must be below most ({self.most})")
