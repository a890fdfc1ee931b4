"""Questions that take seconds of computing leave the threads to everybody else."""

import threading
from contextlib import ExitStack

import anyio.to_thread
import pytest

from service import checked, keys
from service.errors import TooMany
from service.principals import FIRST, Principal, Scope
from service.turnstile import Turnstile
from tests.service.conftest import BODY, refused, wait

READ = frozenset({Scope.READ})
ANN, BOB, CARL = (Principal(name, READ) for name in ("ann", "bob", "carl"))
ASKED = {"backbone": "mobilenet_small", "dataset": "digits"}


def waiting(turnstile, asker, done):
    """A thread that wants a turn and says when it had one."""

    def want():
        with turnstile.turn(asker):
            done.append(asker.owner)

    thread = threading.Thread(target=want)
    thread.start()
    return thread


def present(turnstile, owner):
    return turnstile._lines[owner].length if owner in turnstile._lines else 0


def test_of_an_owner_one_question_goes_on_and_one_waits():
    turnstile, done = Turnstile(), []
    with turnstile.turn(ANN):
        second = waiting(turnstile, ANN, done)
        wait(lambda: present(turnstile, "ann") == 2)
        with pytest.raises(TooMany) as refusal, turnstile.turn(ANN):
            pass
        assert refusal.value.retry_after > 0
        with turnstile.turn(BOB):  # there is room for another owner
            assert done == []
    second.join()
    assert done == ["ann"]
    assert present(turnstile, "ann") == present(turnstile, "bob") == 0


def test_no_more_than_a_few_are_inside_and_an_administrator_waits_without_end():
    turnstile, done = Turnstile(), []
    with turnstile.turn(ANN), turnstile.turn(BOB):
        threads = [waiting(turnstile, CARL, done), waiting(turnstile, FIRST, done)]
        threads += [waiting(turnstile, FIRST, done) for _ in range(20)]
        assert done == []
    for thread in threads:
        thread.join()
    assert sorted(done) == ["carl"] + ["local"] * 21


def test_questions_of_many_owners_do_not_take_all_threads():
    turnstile, done, threads = Turnstile(), [], []
    with ExitStack() as inside:
        inside.enter_context(turnstile.turn(ANN))
        inside.enter_context(turnstile.turn(BOB))
        for number in range(14):
            asker = Principal(f"owner{number}", READ)
            threads.append(waiting(turnstile, asker, done))
            wait(lambda asker=asker: present(turnstile, asker.owner))
        with pytest.raises(TooMany), turnstile.turn(CARL):
            pass
    for thread in threads:
        thread.join()
    assert len(done) == 14


def test_a_question_that_fails_leaves_the_line():
    turnstile = Turnstile()
    for _ in range(5):
        with pytest.raises(ValueError, match="broken"), turnstile.turn(ANN):
            raise ValueError("broken")


def test_what_is_known_is_answered_while_an_owners_questions_are_computed(
    anonymous, stored, monkeypatch
):
    turnstile = Turnstile()
    monkeypatch.setattr(checked, "_turnstile", turnstile)
    made = keys.create(stored, "ann", frozenset({Scope.READ, Scope.WRITE}))
    anonymous.headers["Authorization"] = f"Bearer {made.text}"
    paths = {"/v1/estimates": ASKED, "/v1/jobs": BODY, "/v1/jobs?validate_only=true": BODY}
    for path, body in paths.items():
        assert anonymous.post(path, json=body).is_success
    done = []
    with turnstile.turn(ANN):
        thread = waiting(turnstile, ANN, done)
        wait(lambda: present(turnstile, "ann") == 2)
        for path, body in paths.items():
            assert anonymous.post(path, json=body).is_success
            response = anonymous.post(path, json=body | {"backbone": "vgg_small"})
            refused(response, 429)
            assert int(response.headers["retry-after"]) > 0
    thread.join()
    assert anonymous.post("/v1/estimates", json=ASKED | {"backbone": "vgg_small"}).is_success


def test_keys_and_readiness_do_not_wait_for_the_threads_of_others(anonymous, stored):
    made = keys.create(stored, "ann", READ)

    async def take_all():
        limiter = anyio.to_thread.current_default_thread_limiter()
        takers = [object() for _ in range(int(limiter.available_tokens))]
        for taker in takers:
            limiter.acquire_on_behalf_of_nowait(taker)
        return limiter, takers

    limiter, takers = anonymous.portal.call(take_all)
    try:
        for path, text, status in (
            ("/readyz", "", 200),
            ("/v1/nothing", made.text, 404),
            ("/v1/nothing", made.text[:-1] + "x", 401),
        ):
            headers = {"Authorization": f"Bearer {text}"}
            assert anonymous.get(path, headers=headers).status_code == status
    finally:
        for taker in takers:
            anonymous.portal.call(limiter.release_on_behalf_of, taker)
