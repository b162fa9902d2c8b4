"""`_engine.pyi` says what the module has: every name, every parameter, every attribute, and nothing else."""

import ast
import inspect
from pathlib import Path

import foldercomparesync
import pytest
from foldercomparesync import _engine

STUB = ast.parse((Path(foldercomparesync.__file__).parent / "_engine.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}


def public(names):
    return {name for name in names if not name.startswith("_")}


def parameters(node):
    """Name and default of each parameter, as text."""
    arguments = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
    defaults = [ast.literal_eval(default) for default in node.args.defaults]
    required = len(arguments) - len(defaults)
    return [
        (name, defaults[n - required] if n >= required else None, n >= required)
        for n, name in enumerate(arguments)
    ]


def real_parameters(function):
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        optional = parameter.default is not parameter.empty
        found.append((parameter.name, parameter.default if optional else None, optional))
    return found


def alike(found, documented):
    """Names and which are optional; a default that the compiled module cannot express as a literal reads
    `...`.
    """
    assert [(name, optional) for name, _, optional in found] == [
        (name, optional) for name, _, optional in documented
    ]
    for (name, real, optional), (_, wanted, _) in zip(found, documented):
        if optional and real is not Ellipsis and not (not real and not wanted):
            assert real == wanted, name


def test_the_module_has_exactly_these_names():
    constants = {node.target.id for node in STUB.body if isinstance(node, ast.AnnAssign)}
    documented = FUNCTIONS.keys() | CLASSES.keys() | public(constants)
    assert public(dir(_engine)) == documented


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_has_these_parameters_and_documentation(name):
    alike(real_parameters(getattr(_engine, name)), parameters(FUNCTIONS[name]))
    assert ast.get_docstring(FUNCTIONS[name]), "the stub is what an editor shows"


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_these_members(name):
    real, documented = getattr(_engine, name), CLASSES[name]
    members = {node.name: node for node in documented.body if isinstance(node, ast.FunctionDef)}
    if issubclass(real, Exception):
        return
    assert public(dir(real)) == public(members)
    for member, node in members.items():
        if member == "__new__":
            alike(real_parameters(real), parameters(node))
        elif member.startswith("_"):
            assert hasattr(real, member) or (member == "__iter__" and hasattr(real, "__getitem__"))
        elif any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list):
            assert inspect.isgetsetdescriptor(getattr(real, member)), member
        else:
            alike(real_parameters(getattr(real, member)), parameters(node))
    assert "final" in ast.unparse(documented.decorator_list[0])
    with pytest.raises(TypeError):
        type("Sub", (real,), {})


def test_the_package_is_typed_and_exports_what_it_names():
    assert (Path(foldercomparesync.__file__).parent / "py.typed").exists()
    for name in foldercomparesync.__all__:
        assert getattr(foldercomparesync, name).__doc__, name
