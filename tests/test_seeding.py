"""The seed tree: the same everywhere, different at every node."""

import subprocess
import sys

from se_hpo import seeding


def test_same_path_same_numbers_other_path_other_numbers():
    paths = [(), ("trial", 1), ("trial", 2), ("other", 1), ("trial", 1, "psi")]
    values = [seeding.integer_seed(7, *path) for path in paths]
    assert values == [seeding.integer_seed(7, *path) for path in paths]
    assert len(set(values)) == len(values)
    assert seeding.integer_seed(8, "trial", 1) not in values


def test_seeds_fit_63_bits():
    seeds = [seeding.integer_seed(0, i) for i in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**61


def test_names_give_the_same_seed_in_another_process():
    code = "from se_hpo.seeding import integer_seed as s; print(s(5, 'role', 3))"
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "123"},
    )
    assert int(out.stdout) == seeding.integer_seed(5, "role", 3)


def test_generator_is_independent_of_numpys_global_state():
    import numpy as np

    np.random.seed(0)  # noqa: NPY002 - that it has no influence is the point
    first = seeding.generator(1, "a").random()
    np.random.seed(1)  # noqa: NPY002
    assert seeding.generator(1, "a").random() == first
