"""Changes to a graph's operators: tensors, constants and operators put in at a place.

Comes in: a subgraph of an unpacked model (see `packing`). Goes out: the same one,
with new operators in front of, or in place of, an old one. Operators stand in the
order in which they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from raypipe.inference.packing import new_buffer, text


class Rewriter:
    """Writes new operators of one subgraph.

    Parameters
    ----------
    model : ModelT
        As `packing.unpack` gives it.
    graph : SubGraphT
        One of its subgraphs.
    """

    def __init__(self, model: Any, graph: Any) -> None:
        self.model, self.graph = model, graph
        self.written: list[Any] = []
        """Operators, in the order in which they run."""
        self._constants: dict[str, int] = {}

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """A float32 or int32 tensor of these values, once for each name; give its number."""
        from ai_edge_litert import schema_py_generated as schema

        if name in self._constants:
            return self._constants[name]
        kinds = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, list(values.shape)
        tensor.type = kinds[values.dtype.name]
        tensor.buffer = new_buffer(self.model, values.tobytes())
        tensor.hasRank = True
        self._constants[name] = self.add(tensor)
        return self._constants[name]

    def like(self, number: int, name: str, width: int = 0) -> int:
        """A tensor to be computed, of another one's shape; `width`: with another last axis."""
        from ai_edge_litert import schema_py_generated as schema

        model_of = self.graph.tensors[number]
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.hasRank = name, model_of.type, True
        tensor.shape = list(model_of.shape)
        signature = model_of.shapeSignature
        tensor.shapeSignature = None if signature is None else list(signature)
        for shape in (tensor.shape, tensor.shapeSignature):
            if width and shape is not None:
                shape[-1] = width
        return self.add(tensor)

    def name(self, number: int) -> str:
        """A tensor's name."""
        return text(self.graph.tensors[number].name)

    def axes(self, number: int) -> int:
        """How many axes a tensor has."""
        return len(self.graph.tensors[number].shape)

    def width(self, number: int) -> int:
        """A tensor's last axis."""
        return int(self.graph.tensors[number].shape[-1])

    def add(self, tensor: Any) -> int:
        """Put a tensor in; give its number."""
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any
    ) -> None:
        """Write one of MUL, ADD, SPLIT."""
        from ai_edge_litert import schema_py_generated as schema

        made = schema.OperatorT()
        made.opcodeIndex = self._code(getattr(schema.BuiltinOperator, kind))
        made.inputs, made.outputs = list(inputs), list(outputs)
        name = f"{kind.capitalize()}Options"
        made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        made.builtinOptions = getattr(schema, f"{name}T")()
        for option, value in options.items():
            setattr(made.builtinOptions, option, value)
        self.written.append(made)

    def _code(self, kind: int) -> int:
        from ai_edge_litert import schema_py_generated as schema

        for number, code in enumerate(self.model.operatorCodes):
            if kind == builtin(code):
                return number
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1


def builtin(code: Any) -> int:
    """Which operator a code stands for; old files have it in the other of two fields."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))
