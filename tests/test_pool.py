"""Which server of a provider is asked next."""

from __future__ import annotations

import pytest

from chatd.pool import LONGEST_REST, Pool, Server


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at any time."""
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Pool:
    """Three servers that work."""
    return Pool(["http://a", "http://b", "http://c"], clock=clock)


def taken(pool: Pool, times: int) -> list[str]:
    """The servers that are taken when no call ends."""
    servers = []
    for _ in range(times):
        server = pool.take()
        server.running += 1
        servers.append(server.url[-1])
    return servers


def named(pool: Pool, name: str) -> Server:
    """One of the servers."""
    return next(server for server in pool.servers if server.url.endswith(name))


def test_idle_servers_are_taken_in_turn(pool: Pool) -> None:
    """Calls that end at once go to all servers alike."""
    assert [pool.take().url[-1] for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_the_fewest_running_is_taken(pool: Pool) -> None:
    """A server with fewer calls is taken until it has as many."""
    named(pool, "a").running = 2
    named(pool, "b").running = 1

    assert taken(pool, 4) == ["c", "b", "c", "a"]


def test_a_failed_server_rests(pool: Pool, clock: Clock) -> None:
    """A server that failed is left out, then taken again."""
    pool.rest(named(pool, "a"))
    assert taken(pool, 4) == ["b", "c", "b", "c"]

    clock.now += 1
    assert taken(pool, 2) == ["a", "a"]


def test_when_all_rest_any_is_taken(pool: Pool) -> None:
    """With no other left, a server that rests is better than none."""
    for server in list(pool.servers):
        pool.rest(server)

    assert sorted(taken(pool, 3)) == ["a", "b", "c"]


def test_a_retry_goes_elsewhere(pool: Pool) -> None:
    """A server that was tried is taken again only when all were; one that rests goes before it."""
    first, second = named(pool, "a"), named(pool, "b")
    pool.rest(named(pool, "c"))

    assert pool.take([first]) is second
    assert pool.has_another([first])
    assert pool.take([first, second]).url == "http://c"
    assert not pool.has_another([first, second])


def test_rests_grow(pool: Pool, clock: Clock) -> None:
    """Each failure in a row doubles the rest, with jitter and a bound; success forgets them."""
    server = pool.servers[0]
    rests = []
    for _ in range(12):
        pool.rest(server)
        rests.append(server.rests_until - clock.now)
        clock.now = server.rests_until

    for number, rest in enumerate(rests):
        longest = min(LONGEST_REST, 2**number)
        assert min(LONGEST_REST, 2**number / 2) <= rest <= longest
    pool.wake(server)
    pool.rest(server)
    assert server.rests_until - clock.now <= 1


def test_failures_at_the_same_time_are_one(pool: Pool, clock: Clock) -> None:
    """A hundred calls that fail together do not let a server rest for long."""
    for _ in range(100):
        pool.rest(pool.servers[0])

    assert pool.servers[0].rests_until - clock.now <= 1


@pytest.mark.parametrize(("asked", "rest"), [(20, 20), (10**9, LONGEST_REST)])
def test_a_server_may_ask_for_rest(pool: Pool, clock: Clock, asked: float, rest: float) -> None:
    """The time a server asked for is kept, up to a bound."""
    pool.rest(pool.servers[0], asked)

    assert pool.servers[0].rests_until - clock.now == rest


def test_credentials_leave_the_url() -> None:
    """Name and password of a URL become a header of its own server."""
    [server] = Pool(["http://me:p%40ss@host:8001/v1"]).servers

    assert server.url == "http://host:8001/v1"
    assert server.headers == {"Authorization": "Basic bWU6cEBzcw=="}
