"""Modules and classes are of a size that can be read."""

import ast

import pytest

from tests.test_imports import MODULES

#: The most lines of a module outside the engine, those of docstrings not counted.
MOST_LINES = 450

#: The most methods of a class, those that look like attributes counted.
MOST_METHODS = 25

OUTSIDE = sorted(m for m in MODULES if not m.startswith("skdnn.nn"))

FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef


def nodes(source, *kinds):
    """Return the parts of a module that are of some kind."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def n_lines(source):
    """Return the number of lines of a module, without its docstrings."""
    documented = nodes(source, ast.Module, ast.ClassDef, *FUNCTIONS)
    docstrings = [d.body[0] for d in documented if ast.get_docstring(d) is not None]
    n_documenting = sum(d.end_lineno - d.lineno + 1 for d in docstrings)
    return len(source.splitlines()) - n_documenting


def methods(source):
    """Return how many methods each class of a module has, by its name."""
    return {
        class_.name: sum(isinstance(node, FUNCTIONS) for node in class_.body)
        for class_ in nodes(source, ast.ClassDef)
    }


def test_what_counts():
    """Docstrings do not, in any place; comments and properties do."""
    source = """'''One.'''
class A:
    '''Two
    three.
    '''
    @property
    def a(self):
        '''Six.'''
        # Seven.
    def b(self):
        text = '''Nine
        ten.'''
"""
    source = source.replace("# Seven.", "return 1  # Seven.")
    assert n_lines(source) == len(source.splitlines()) - 5
    assert methods(source) == {"A": 2}


@pytest.mark.parametrize("module", OUTSIDE)
def test_lines_of_a_module(module):
    """No module is too long."""
    assert n_lines(MODULES[module].read_text()) <= MOST_LINES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_methods_of_a_class(module):
    """No class does too much."""
    for name, n_methods in methods(MODULES[module].read_text()).items():
        assert n_methods <= MOST_METHODS, name


def test_lines_of_the_base():
    """What both estimators share is read first: all of it counts."""
    base = MODULES["skdnn._base"].read_text().splitlines()
    assert len(base) <= 300
