from hypothesis import given
from hypothesis import strategies as st

from netcli.arrays.device import CPU
from netcli.blob import Buffer
from netcli.net.memory import Life, place


def life(count, first, last):
    buffer = Buffer("f4", CPU)
    buffer.want(count)
    return Life(buffer, first, last)


LIVES = st.lists(
    st.tuples(st.integers(1, 500), st.integers(0, 30), st.integers(0, 10)).map(lambda t: life(t[0], t[1], t[1] + t[2])),
    max_size=30,
)


@given(LIVES)
def test_what_lives_at_the_same_time_lies_apart(lives):
    total = place(lives)
    for n, a in enumerate(lives):
        assert 0 <= a.offset <= total - a.size
        assert a.offset % 64 == 0
        for b in lives[:n]:
            meet = a.first <= b.last and b.first <= a.last
            overlap = a.offset < b.offset + b.size and b.offset < a.offset + a.size
            assert not (meet and overlap)


@given(LIVES)
def test_it_takes_no_more_than_all_and_no_less_than_the_fullest_time(lives):
    fullest = max((sum(x.size for x in lives if x.first <= t <= x.last) for t in range(50)), default=0)
    assert fullest <= place(lives) <= sum(x.size for x in lives)


def test_a_chain_takes_two_places():
    lives = [life(100, t, t + 1) for t in range(20)]
    assert place(lives) == 2 * lives[0].size
