"""Gridworlds from maps of text (Ferreira et al. 2022, section 5; the authors' code).

A map has a line per row: `S` start, `G` goal, `O` hole or cliff, `#` wall, `.` floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
from gymnasium.spaces import Discrete

from se_hpo.errors import UserError

MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""Change of row and column by action: right, left, down, up."""
CELLS = "SGO#."


@dataclass(frozen=True)
class Gridworld:
    """A map, its rewards, and what is known of it as a task."""

    map: str
    max_steps: int
    solved_return: float
    random_return: float
    """Mean return of random actions, measured as that of all tasks (`envs.tasks`)."""
    worst_return: float
    step_reward: float = -0.01
    goal_reward: float = 1.0
    hole_reward: float = -1.0

    @property
    def n_cells(self) -> int:
        """Cells of the map, each a state."""
        return len(self.map.replace("\n", ""))

    def fields(self) -> dict[str, Any]:
        """What `GridWorld` and the native engine's gridworld are made of."""
        names = ("map", "step_reward", "goal_reward", "hole_reward")
        return {name: getattr(self, name) for name in names}


def _rows(*rows: str) -> str:
    return "\n".join(rows)


# The authors give EmptyRoom no limits; it has those of their other rooms of its size.
GRIDWORLDS = {
    "EmptyRoom22-v0": Gridworld(_rows("S.", ".G"), 10, 0.8, 0.699, -0.1),
    "EmptyRoom23-v0": Gridworld(_rows("S..", "..G"), 15, 0.8, 0.4846, -0.15),
    "EmptyRoom33-v0": Gridworld(_rows("S..", "...", "..G"), 20, 0.8, 0.3495, -0.2),
    "EmptyRoom-v0": Gridworld(
        _rows("S....", ".....", ".....", ".....", "....G"), 30, 0.8, -0.1337, -0.3
    ),
    "WallRoom-v0": Gridworld(
        _rows("S.#..", "..#..", ".....", "..#..", "..#.G"), 30, 0.8, -0.2472, -0.3
    ),
    "HoleRoom-v0": Gridworld(
        _rows("S.O..", "..O..", ".....", "..O..", "..O.G"), 30, 0.8, -1.027, -1.29
    ),
    "HoleRoomLarge-v0": Gridworld(
        _rows("S.O.O..", "..O.O..", ".......", "..O.O..", "..O.O.G"),
        30,
        0.8,
        -1.0392,
        -1.29,
    ),
    "HoleRoomLargeShifted-v0": Gridworld(
        _rows("S.O....", "..O.O..", "..O.O..", "..O.O..", "....O.G"),
        30,
        0.8,
        -1.0389,
        -1.29,
    ),
    "Cliff-v0": Gridworld(
        _rows("............", "............", "............", "SOOOOOOOOOOG"),
        *(50, -20.0, -105.24, -149.0),
        *(-1.0, 0.0, -100.0),
    ),
}
"""The authors' gridworlds, by Gymnasium id.

`Cliff-v0` has rules of its own: a fall ends the episode and the step onto the goal is
free, so that the best return is -12; Gymnasium's CliffWalking goes on after a fall.
"""


class GridWorld(gymnasium.Env[int, int]):
    """Moves on a map; the reward is that of the cell moved to.

    A move into a wall or over the border stays. Goal and holes end the episode.
    Observations are cells, counted row by row from 0; see `MOVES` for the actions.

    Args:
        map: lines of equal length, with one start; see the module.
        step_reward: of a floor or start cell.
        goal_reward: of the goal.
        hole_reward: of a hole.
        render_mode: None, or `ansi` for the map with the agent as `X`.

    Raises:
        UserError: the map is none.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        map: str,
        step_reward: float,
        goal_reward: float,
        hole_reward: float,
        render_mode: str | None = None,
    ) -> None:
        rows = map.split("\n")
        self.n_rows, self.n_columns = len(rows), len(rows[0])
        self.cells = "".join(rows)
        _check_map(rows)
        self.render_mode = render_mode
        self._rewards = {"G": goal_reward, "O": hole_reward}
        self._step_reward = step_reward
        self.observation_space = Discrete(len(self.cells))
        self.action_space = Discrete(len(MOVES))
        self.state = self.cells.index("S")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Go to the start."""
        super().reset(seed=seed)
        self.state = self.cells.index("S")
        return self.state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Move by one cell."""
        self.state = self.move(self.state, int(action))
        cell = self.cells[self.state]
        reward = self._rewards.get(cell, self._step_reward)
        return self.state, float(reward), cell in "GO", False, {}

    def move(self, state: int, action: int) -> int:
        """The cell that an action leads to; from a goal or hole nowhere."""
        if self.cells[state] in "GO":
            return state
        row, column = divmod(state, self.n_columns)
        down, right = MOVES[action]
        row = min(max(row + down, 0), self.n_rows - 1)
        column = min(max(column + right, 0), self.n_columns - 1)
        there = row * self.n_columns + column
        return state if self.cells[there] == "#" else there

    def render(self) -> str | None:
        """The map with the agent as `X`, or None without a render mode."""
        if self.render_mode is None:
            return None
        cells = self.cells[: self.state] + "X" + self.cells[self.state + 1 :]
        starts = range(0, len(cells), self.n_columns)
        return "\n".join(cells[i : i + self.n_columns] for i in starts)


def _check_map(rows: list[str]) -> None:
    cells = "".join(rows)
    if len({len(row) for row in rows}) > 1 or not cells:
        raise UserError("the map of a gridworld must have lines of one length")
    if odd := set(cells) - set(CELLS):
        raise UserError(
            f"the map of a gridworld has {min(odd)!r}: its cells are {', '.join(CELLS)}"
        )
    if cells.count("S") != 1:
        raise UserError(
            f"the map of a gridworld has {cells.count('S')} starts (S): give it one"
        )


def register_gridworlds() -> None:
    """Register the gridworlds' Gymnasium ids (done by `import se_hpo`)."""
    for env_id, world in GRIDWORLDS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(
                env_id,
                entry_point="se_hpo.envs.gridworld:GridWorld",
                reward_threshold=world.solved_return,
                max_episode_steps=world.max_steps,
                kwargs=world.fields(),
            )
