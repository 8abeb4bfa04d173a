"""What follows from parameters is worked out once for each of them, whatever their values."""

from dataclasses import dataclass

from processing.derived import MOST, derived


@dataclass(frozen=True)
class Params:
    value: float = 1.0


def test_each_object_is_worked_out_once() -> None:
    asked: list[float] = []

    @derived
    def double(params: Params, negative: bool) -> float:
        asked.append(params.value)
        return params.value * (-2.0 if negative else 2.0)

    one, equal, other = Params(), Params(), Params(3.0)
    assert [double(p, False) for p in (one, one, equal, other, one)] == [2.0, 2.0, 2.0, 6.0, 2.0]
    assert asked == [1.0, 1.0, 3.0]
    assert double(one, True) == -2.0


def test_it_forgets_and_never_confuses() -> None:
    @derived
    def same(params: Params) -> float:
        return params.value

    # each is let go at once: its identity would be used again were it not held
    assert [same(Params(float(k))) for k in range(3 * MOST)] == list(range(3 * MOST))
