from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.drivers.nats.names import bucket_name, names_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
ODD = st.text("aA.%+/_-~* >\\\t\n\0é€", max_size=5)


def test_a_plain_name_stays_readable() -> None:
    names = names_of("my_queue-1", "minibroker")
    assert names == (
        "minibroker+my_queue-1",
        "minibroker.my_queue-1",
        "minibroker.my_queue-1.later",
    )


def test_what_nats_does_not_take_is_encoded_as_in_urls() -> None:
    assert names_of("a b.c", "x").subject == "x.a%20b%2Ec"
    assert names_of("a.*>\\/é", "x").stream == "x+a%2E%2A%3E%5C%2F%C3%A9"
    assert names_of("", "x").subject == "x.%"


@given(TEXTS, TEXTS)
def test_every_text_makes_valid_names(queue: str, prefix: str) -> None:
    names = names_of(queue, prefix)
    assert re.fullmatch(r"[^\s.*>/\\\0]{1,255}", names.stream)
    assert re.fullmatch(r"[!-~]+", names.subject)
    assert len(names.subject.split(".")) == 2
    assert not set("*>") & set(names.subject)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", bucket_name(prefix))


@given(st.tuples(ODD, ODD), st.tuples(ODD, ODD))
def test_no_two_texts_make_the_same_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    same = one == other
    assert (names_of(*one).stream == names_of(*other).stream) == same
    assert (names_of(*one).subject == names_of(*other).subject) == same
    assert (bucket_name(one[1]) == bucket_name(other[1])) == (one[1] == other[1])


def test_long_names_that_begin_alike_differ() -> None:
    one, other = names_of("q" * 254 + "1", "x"), names_of("q" * 254 + "2", "x")
    assert one.stream != other.stream
    assert len(one.stream) == 200
