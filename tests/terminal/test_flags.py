"""Parts of a command's work."""

import pytest

from se_hpo.errors import UserError
from se_hpo.terminal.flags import parse_shard


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/4", ""])
def test_a_shard_out_of_range_is_refused(text):
    with pytest.raises(UserError, match="shard"):
        parse_shard(text)
