"""A run goes on with the model that it was begun with, named or not."""

import json
from dataclasses import replace

import pytest

from se_hpo.bohb.parzen import ParzenGenerator
from se_hpo.bohb.proposals import BOHBGenerator
from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_folder import open_run
from se_hpo.optimize.run_request import resolve_run
from se_hpo.results.run_settings import settings_from_dict
from se_hpo.search_spaces.loading import load_space

SPACE = load_space("smoke")


def begun(options, *forget):
    """The run that flags make, as one of before these settings were stored."""
    request = resolve_run(options, SPACE)
    data = open_run(
        request.paths, request.settings.to_dict(), request.configspace, False
    )
    for name in forget:
        del data["settings"][name]
    request.paths.run.write_text(json.dumps(data))


def again(options):
    """What the run would go on with; it is the same run."""
    request = resolve_run(options, SPACE)
    open_run(request.paths, request.settings.to_dict(), request.configspace, False)
    return request


def test_a_new_run_has_the_parzen_estimator(tmp_path):
    request = resolve_run(Options(run=tmp_path / "new"), SPACE)
    assert request.settings.model == "parzen"
    assert request.settings.random_fraction == 0.1
    assert type(request.generator()) is ParzenGenerator


def test_a_run_from_before_models_had_names_goes_on_with_the_only_one_then(tmp_path):
    options = Options(run=tmp_path / "run")
    before = replace(options, model="kde")
    begun(before, "model", "prefer_cheap")
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    assert settings_from_dict(stored["settings"]).model == "kde"
    request = again(options)
    assert type(request.generator()) is BOHBGenerator
    assert request.settings.random_fraction == pytest.approx(1 / 3)
    twin = BOHBGenerator(request.configspace, 0, start_from_default=True)
    generator = request.generator()
    assert [generator.get_config(1.0) for _ in range(5)] == [
        twin.get_config(1.0) for _ in range(5)
    ]


@pytest.mark.parametrize("model", ["parzen", "kde"])
def test_the_same_flags_or_none_continue_and_another_model_is_refused(tmp_path, model):
    options = Options(run=tmp_path / "run", model=model, random_fraction=0.5)
    begun(options)
    for same in (options, Options(run=options.run)):
        assert again(same).settings.random_fraction == 0.5
    other = replace(options, model="kde" if model == "parzen" else "parzen")
    with pytest.raises(UserError, match=rf'model "{model}" -> .*--overwrite'):
        again(other)
    assert resolve_run(replace(other, overwrite=True), SPACE).settings.model != model


def test_to_prefer_cheap_ones_is_a_setting_and_needs_the_estimator(tmp_path):
    options = Options(run=tmp_path / "run", prefer_cheap=True)
    begun(options)
    assert again(options).settings.prefer_cheap
    with pytest.raises(UserError, match="prefer_cheap true -> false"):
        again(replace(options, prefer_cheap=False))
    with pytest.raises(UserError, match="--prefer-cheap needs --model parzen"):
        resolve_run(replace(options, model="kde", run=tmp_path / "other"), SPACE)


def test_a_short_run_is_told_how_many_trials_the_model_needs(tmp_path):
    request = resolve_run(Options(run=tmp_path / "run", n_brackets=1), SPACE)
    notes = " ".join(request.notes(request.brackets))
    assert "needs 6 trials, and there are" in notes
