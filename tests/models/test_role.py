import pytest

from models.role import Role


@pytest.mark.parametrize("role", Role)
def test_a_role_has_the_rights_of_those_before_it(role: Role) -> None:
    ranks = [Role.VIEWER, Role.ARTIST, Role.OPERATOR]

    assert [role.has(other) for other in ranks] == [
        ranks.index(other) <= ranks.index(role) for other in ranks
    ]
