"""What `optimize` is asked for: runs of spaces that nobody shipped."""

from se_hpo.optimize.options import Options
from se_hpo.optimize.run_request import resolve_run
from se_hpo.search_spaces.loading import load_space

REWARDS = """
from ConfigSpace import Categorical, ConfigurationSpace

META = {
    "objective": "nes", "task": "Cliff-v0", "agent": "q_learning",
    "min_budget": 1, "max_budget": 1, "eta": 2,
    "base": {"nes.fitness": "area", "nes.horizon": 200, "rn.hidden_size": 4},
}

def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    cs.add(Categorical("rn.kind", ["additive", "additive_potential"]))
    return cs
"""


def test_the_base_may_have_values_of_the_kinds_that_are_searched(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(REWARDS)
    request = resolve_run(Options(run=tmp_path / "run"), load_space(file))
    assert request.settings.base["rn.hidden_size"] == 4
