"""The beginnings of texts that a search follows, as a tree."""

from collections.abc import Collection
from typing import Any


class Prefix:
    """A beginning of the text: a node of the tree of all that are still followed.

    Attributes:
        parent: without its last character. None: of the root, whose own beginning all others share.
        character: its last one.
        state: what the language model remembers of it.
        context: its end, as long as the hot words look back.
        factor: what its last character multiplies its probability with.
        children: the longer ones, by character.
    """

    __slots__ = ("character", "children", "context", "factor", "parent", "state")

    def __init__(self, parent: "Prefix | None", character: str, state: Any, context: str, factor: float) -> None:
        self.parent, self.character, self.state, self.context = parent, character, state, context
        self.factor = factor
        self.children: dict[str, Prefix] = {}

    def text(self) -> str:
        """Returns the characters from the root on."""
        characters, node = [], self
        while node is not None:
            characters.append(node.character)
            node = node.parent  # type: ignore[assignment]
        return "".join(reversed(characters))


def settle(root: Prefix, beam: Collection[Prefix]) -> tuple[str, Prefix]:
    """Forgets the prefixes that nothing in the beam grew from; returns what all begin with, and the new root after it.

    So the tree is as large as what is still open, however long the recording.
    """
    alive: dict[Prefix, dict[str, Prefix]] = {}  # each with its children that are alive
    for prefix in beam:
        alive.setdefault(prefix, {})
        while prefix.parent is not None:
            siblings = alive.setdefault(prefix.parent, {})
            if prefix.character in siblings:
                break
            siblings[prefix.character] = prefix
            prefix = prefix.parent
    for prefix, children in alive.items():
        prefix.children = children
    settled = []
    while len(root.children) == 1 and root not in beam:
        settled.append(root.character)
        (root,) = root.children.values()
        root.parent = None
    return "".join(settled), root
