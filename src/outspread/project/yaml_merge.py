"""Merge keys (``<<``), as yaml.v2 reads them: what they bring stands where they stand, and later keys count."""

from outspread.project.yaml_document import MappingNode, Node, ScalarNode, SequenceNode, YamlError

_MOST_STEPS = 200_000  # of merging in one document
_MOST_LEVELS = 100


class Merger:
    """Opens the mappings of one document, and keeps count, as a few lines of aliases could stand for billions of keys."""

    def __init__(self) -> None:
        self._steps = 0

    def pairs(self, node: MappingNode) -> list[tuple[Node, Node]]:
        """Return keys and values in order. Raises YamlError for what cannot be merged, or only with harm."""
        keys, values = node.items[::2], node.items[1::2]
        if not any(map(_is_merge, keys)):
            return list(zip(keys, values, strict=True))
        merged: list[tuple[Node, Node]] = []
        self._merge(merged, node, level=0)
        return merged

    def _merge(self, merged: list[tuple[Node, Node]], node: MappingNode, *, level: int) -> None:
        for key, value in zip(node.items[::2], node.items[1::2], strict=True):
            self._count(node, level)
            if not _is_merge(key):
                merged.append((key, value))
                continue
            for source in reversed(value.items) if isinstance(value, SequenceNode) else (value,):
                self._count(node, level)
                if not isinstance(source, MappingNode):
                    raise YamlError("yaml: map merge requires map or sequence of maps as the value", value.line)
                self._merge(merged, source, level=level + 1)

    def _count(self, node: MappingNode, level: int) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS or level > _MOST_LEVELS:
            raise YamlError("yaml: document contains excessive aliasing", node.line)


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == "<<" and (key.plain or key.tag == "tag:yaml.org,2002:merge")
