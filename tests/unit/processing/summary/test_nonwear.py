"""Non-wear with hindsight from whole minutes."""

from processing.summary import worn_minutes
from processing.wear import WearParams
from tests.support.days import minute

PARAMS = WearParams()
TABLE = {
    "head_acc_mean_ms2": "0.1000,9.8000,0.3000",
    "head_acc_sd_ms2": "0.0100,0.0100,0.0100",
    "head_acc_min_ms2": "0.0700,9.7700,0.2700",
    "head_acc_max_ms2": "0.1300,9.8300,0.3300",
    "head_gyr_sd_dps": 0.07,
}
SLEEP = {**TABLE, "head_gyr_sd_dps": 1.0}


def test_worn_minutes_are_worn() -> None:
    assert worn_minutes(PARAMS, [minute(i) for i in range(120)]) == [True] * 120
    assert worn_minutes(PARAMS, []) == []


def test_five_still_minutes_are_off_from_the_first_on() -> None:
    minutes = [minute(i, **(TABLE if 10 <= i < 15 else {})) for i in range(20)]
    assert [i for i, on in enumerate(worn_minutes(PARAMS, minutes)) if not on] == list(
        range(10, 15)
    )
    minutes = [minute(i, **(TABLE if 10 <= i < 14 else {})) for i in range(20)]
    assert all(worn_minutes(PARAMS, minutes))


def test_a_hole_in_the_record_breaks_stillness() -> None:
    minutes = [minute(i if i < 3 else i + 100, **TABLE) for i in range(6)]
    assert all(worn_minutes(PARAMS, minutes))


def test_the_trunk_is_judged_too_unless_there_is_none() -> None:
    table = {name.replace("head", "trunk"): value for name, value in TABLE.items()}
    minutes = [minute(i, **table) for i in range(6)]
    assert not any(worn_minutes(PARAMS, minutes))
    assert all(worn_minutes(PARAMS, minutes, head_only=True))


def test_a_quiet_hour_is_off_by_the_rule_for_wrists() -> None:
    # not still enough minute by minute, but two axes do not move within an hour
    minutes = [minute(i, **SLEEP) for i in range(120)]
    assert not any(worn_minutes(PARAMS, minutes))
    # the same minutes at changing angles are a person who turns over
    turned = {
        **SLEEP,
        "head_acc_mean_ms2": "9.7000,0.5000,0.3000",
        "head_acc_min_ms2": "9.6700,0.4700,0.2700",
        "head_acc_max_ms2": "9.7300,0.5300,0.3300",
    }
    minutes = [minute(i, **(SLEEP if i % 20 < 10 else turned)) for i in range(120)]
    assert all(worn_minutes(PARAMS, minutes))


def test_half_an_hour_is_too_little_for_the_hour() -> None:
    assert all(worn_minutes(PARAMS, [minute(i, **SLEEP) for i in range(29)]))
