"""Waiting files come in the order of a plain sort, whatever came and went before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raypipe.plan.ready import Ready

WORKERS = ["", "a", "b"]
ADD = st.tuples(
    st.just("add"), st.integers(0, 9), st.sampled_from([0.0, 1.5, 60.0]), st.sampled_from(WORKERS)
)
DISCARD = st.tuples(st.just("discard"), st.integers(0, 9))
FREE = st.tuples(st.just("free"), st.sampled_from(WORKERS))


@given(st.lists(st.one_of(ADD, DISCARD, FREE), max_size=40))
def test_the_order_is_own_files_then_the_longest_then_the_oldest(moves: list[tuple]) -> None:
    ready = Ready()
    plain: dict[int, tuple[float, str]] = {}
    for move in moves:
        getattr(ready, move[0])(*move[1:])
        if move[0] == "add":
            plain[move[1]] = move[2:]
        elif move[0] == "discard":
            plain.pop(move[1], None)
        else:
            plain = {t: (s, "" if o == move[1] else o) for t, (s, o) in plain.items()}
    assert len(ready) == len(plain)
    assert all(ticket in ready for ticket in plain)
    for worker in ["a", "b", "c"]:
        order = sorted(plain, key=lambda t: (plain[t][1] != worker, -plain[t][0], t))
        mine = [ticket for ticket in order if plain[ticket][1] in ("", worker)]
        assert list(ready.for_worker(worker, foreign=True)) == order
        assert list(ready.for_worker(worker, foreign=False)) == mine
