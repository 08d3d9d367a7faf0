"""The topic exchange: a trie of the words of its binding keys. Knows nothing of the other types.

Source: AMQP 0-9-1 section 3.1.3.3; SEMANTICS 45 and 48.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..errors import PreconditionFailed
from .exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..message import Message
    from .exchange import Binding, Destination, ExchangeDeclaration, ExchangeSurroundings, Identity

__all__ = ["TopicExchange"]

ONE_WORD = "*"
ANY_WORDS = "#"


class Node:
    """Where one sequence of words of binding keys ends in the trie.

    `loops` is true at a `#`, which takes further words without going on.
    """

    __slots__ = ("any_words", "bindings", "loops", "one_word", "words")

    def __init__(self, loops: bool = False) -> None:
        self.loops = loops
        self.words: dict[str, Node] = {}
        self.one_word: Node | None = None
        self.any_words: Node | None = None
        self.bindings: dict[Identity, Binding] = {}

    def child(self, word: str) -> Node | None:
        """The next node for a word of a binding key."""
        if word == ONE_WORD:
            return self.one_word
        if word == ANY_WORDS:
            return self.any_words
        return self.words.get(word)

    def grow(self, word: str) -> Node:
        """The next node for a word of a binding key, made if it is not there."""
        node = self.child(word)
        if node is None:
            node = Node(loops=word == ANY_WORDS)
            if word == ONE_WORD:
                self.one_word = node
            elif word == ANY_WORDS:
                self.any_words = node
            else:
                self.words[word] = node
        return node

    def cut(self, word: str) -> None:
        """Take away the next node for a word of a binding key."""
        if word == ONE_WORD:
            self.one_word = None
        elif word == ANY_WORDS:
            self.any_words = None
        else:
            del self.words[word]

    @property
    def is_needed(self) -> bool:
        """Whether any binding ends here or further on."""
        return bool(self.bindings or self.words or self.one_word or self.any_words)


class TopicExchange(Exchange):
    """A message goes where the pattern of the binding key matches its routing key.

    Words are what `.` separates, empty ones included; the empty key has no word at all. `*`
    stands for one word, `#` for any number of them. Matching takes O(words x nodes of the trie
    that are alive at one time), whatever the number of `#`.
    """

    __slots__ = ("_max_hashes", "_root")

    type: ClassVar[str] = "topic"

    def __init__(self, declaration: ExchangeDeclaration, world: ExchangeSurroundings) -> None:
        super().__init__(declaration, world)
        self._max_hashes = world.profile.max_topic_hashes
        self._root = Node()

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """The destinations with a binding key that matches one of the keys."""
        found: list[Destination] = []
        for key in keys:
            matched = [
                binding for node in self._ends(_words(key)) for binding in node.bindings.values()
            ]
            matched.sort(key=_place)
            found.extend([binding.destination for binding in matched])
        return found

    def _ends(self, words: list[str]) -> Iterable[Node]:
        # All ways through the trie advance together, one word at a time: a node is visited once
        # per word however many ways lead to it, and a deep key needs no recursion.
        alive = _with_empty(self._root, {})
        for word in words:
            following: dict[Node, None] = {}
            for node in alive:
                if node.loops:
                    _with_empty(node, following)
                _with_empty(node.one_word, following)
                _with_empty(node.words.get(word), following)
            alive = following
        return alive

    def validate(self, binding: Binding) -> None:
        """Raise `PreconditionFailed` for a binding that this type cannot match."""
        limit = self._max_hashes
        if limit is not None and _words(binding.routing_key).count(ANY_WORDS) > limit:
            raise PreconditionFailed(
                f"invalid binding key '{binding.routing_key}' for exchange '{self.name}': "
                f"more than {limit} '#' words"
            )

    def _add(self, binding: Binding) -> None:
        node = self._root
        for word in _words(binding.routing_key):
            node = node.grow(word)
        node.bindings[binding.identity] = binding

    def _remove(self, binding: Binding) -> None:
        way: list[tuple[Node, str]] = []
        node = self._root
        for word in _words(binding.routing_key):
            way.append((node, word))
            node = node.grow(word)
        del node.bindings[binding.identity]
        while way and not node.is_needed:
            node, word = way.pop()
            node.cut(word)

    def _nodes(self) -> Iterator[tuple[Node, list[str]]]:
        waiting: list[tuple[Node, list[str]]] = [(self._root, [])]
        while waiting:
            node, words = waiting.pop()
            yield node, words
            children = {ONE_WORD: node.one_word, ANY_WORDS: node.any_words, **node.words}
            waiting.extend((child, [*words, word]) for word, child in children.items() if child)

    def _check(self) -> None:
        super()._check()
        found: list[Binding] = []
        for node, words in self._nodes():
            assert node.is_needed or node is self._root
            assert node.loops == (words[-1:] == [ANY_WORDS])
            assert all(_words(b.routing_key) == words for b in node.bindings.values())
            found.extend(node.bindings.values())
        assert sorted(binding.place for binding in found) == [b.place for b in self.bindings]


def _words(key: str) -> list[str]:
    # The empty key has no word, not one that is empty (SEMANTICS 48).
    return key.split(".") if key else []


def _with_empty(node: Node | None, nodes: dict[Node, None]) -> dict[Node, None]:
    """Add a node, and those that `#` for no word at all leads on to."""
    while node is not None and node not in nodes:
        nodes[node] = None
        node = node.any_words
    return nodes


def _place(binding: Binding) -> int:
    return binding.place
