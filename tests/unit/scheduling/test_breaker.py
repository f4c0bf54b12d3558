"""What failed several times is left alone for a while, then tried once."""

from __future__ import annotations

from cinelet.scheduling.breaker import FIRST_REST_S, LONGEST_REST_S, MAX_FAILURES, Breaker


def test_different_jobs_that_fail_open_it_and_one_good_one_closes_it() -> None:
    breaker = Breaker()
    for number in range(MAX_FAILURES):
        assert (breaker.rests_s(0.0), breaker.is_on_trial) == (0.0, False)
        breaker.failed(str(number), 0.0)
    assert breaker.rests_s(1.0) == FIRST_REST_S - 1.0
    assert breaker.rests_s(FIRST_REST_S) == 0.0
    assert breaker.is_on_trial
    breaker.succeeded()
    assert not breaker.is_on_trial


def test_one_bad_job_says_nothing_of_the_device() -> None:
    breaker = Breaker()
    for at in range(10):
        breaker.failed("poison", float(at))
    assert breaker.rests_s(9.0) == 0.0


def test_each_failed_trial_doubles_the_rest_up_to_a_bound() -> None:
    breaker, now, rests = Breaker(), 0.0, []
    for number in range(20):
        breaker.failed(str(number), now)
        rests.append(breaker.rests_s(now))
        now += rests[-1]
    assert rests[MAX_FAILURES - 1 : MAX_FAILURES + 2] == [FIRST_REST_S, 2 * FIRST_REST_S, 4 * FIRST_REST_S]
    assert rests[-1] == LONGEST_REST_S
