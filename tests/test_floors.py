"""The floors of the house, read from its imports: nothing imports upwards, sideways or in a ring.

Imports inside functions count; those under TYPE_CHECKING do not, since they never run.
"""

import ast
from pathlib import Path

import timeloom

PACKAGE = Path(timeloom.__file__).parent
LONGEST = 400  # lines of a file

# A folder imports only folders of a lower number. On floor 4 the order is fixed, so that one
# number after the point says what may be seen from where.
FLOORS = {
    "data": 1.0, "diffusion": 1.0, "nets": 1.0, "train": 2.0, "methods": 3.0, "metrics": 3.0,
    "report": 4.0, "advice": 4.1, "evaluation": 4.1, "bench": 4.2, "cli": 5.0,
}  # fmt: skip


def modules(package):
    """Every file by its dotted name, as ``data.windows``; the root and its files by their own."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = list(file.relative_to(package).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def running(node):
    """Every node below ``node`` that can run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (part for other in child.orelse for part in [other, *running(other)])
            continue
        yield child
        yield from running(child)


def imported(file, name, known):
    """The modules of the package that a file imports, by dotted name."""
    for node in running(ast.parse(file.read_text(encoding="utf-8"))):
        targets = []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == PACKAGE.name:
            targets = [timeloom._HOMES.get(node.attr, "")]  # ``timeloom.evaluate`` is an import too
        elif isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                inside = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
                above = [part for part in inside if part][: len(inside) - node.level + 1]
                base = ".".join([PACKAGE.name, *above, *([node.module] if node.module else [])])
            # ``from timeloom.cli import options`` imports the module, not the folder.
            names = [f"{base}.{alias.name}" for alias in node.names]
            files = [one for one in names if one.partition(".")[2] in known]
            targets = files if len(files) == len(names) else [*files, base]
            if base == PACKAGE.name:
                targets += [timeloom._HOMES.get(alias.name, "") for alias in node.names]
        for target in targets:
            root, _, inner = target.partition(".")
            if root == PACKAGE.name and inner:  # the root itself may be imported anywhere
                yield inner


def edges(package):
    known = modules(package)
    return {
        name: sorted(set(imported(file, name, known)) - {name})
        for name, file in known.items()
        if name  # the root opens every room, lazily
    }


def climbs(package):
    """A sentence for every import that goes up a floor, or sideways to another folder."""
    wrong = []
    for name, targets in edges(package).items():
        own = name.split(".")[0]
        for target in targets:
            other = target.split(".")[0]
            if own != other and FLOORS[own] <= FLOORS[other]:
                wrong.append(f"{name} (floor {FLOORS[own]:g}) imports {target}")
    return wrong


def rings(package):
    """A chain of modules for every import cycle that a walk over all modules meets."""
    graph, done, found = edges(package), set(), []

    def walk(name, path):
        if name in path:
            found.append(" -> ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for target in graph.get(name, []):
                walk(target, [*path, name])
            done.add(name)

    for name in graph:
        walk(name, [])
    return found


def too_long(package):
    counts = {name: len(f.read_text("utf-8").splitlines()) for name, f in modules(package).items()}
    return {name: count for name, count in counts.items() if count > LONGEST}


def test_every_folder_has_a_floor():
    folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOORS)


def test_no_import_goes_up_or_sideways():
    assert climbs(PACKAGE) == []


def test_no_modules_import_each_other():
    assert rings(PACKAGE) == []


def test_no_file_is_longer_than_four_hundred_lines():
    assert too_long(PACKAGE) == {}


def plant(folder, **files):
    for name, text in files.items():
        file = folder.joinpath(*name.split("__")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_an_import_that_goes_up_is_found_also_inside_a_function(tmp_path):
    house = plant(
        tmp_path,
        data__windows="def f():\n    from timeloom.methods import diffmts\n",
        methods__diffmts="import timeloom\nfrom timeloom import __version__\n",
    )
    assert climbs(house) == ["data.windows (floor 1) imports methods.diffmts"]


def test_an_import_that_goes_sideways_is_found(tmp_path):
    house = plant(
        tmp_path,
        metrics__fidelity="from timeloom.methods.diffmts import DiffMTS\n",
        nets__judge="from ..diffusion import sample\n",
        report__page="import timeloom.evaluation.verdict\n",
        evaluation__verdict="from timeloom.report import page\n",
    )
    assert climbs(house) == [
        "metrics.fidelity (floor 3) imports methods.diffmts",
        "nets.judge (floor 1) imports diffusion",
        "report.page (floor 4) imports evaluation.verdict",
    ]


def test_a_public_name_of_the_root_counts_as_an_import_of_its_home(tmp_path):
    house = plant(
        tmp_path,
        data__a="import timeloom\nx = timeloom.evaluate, timeloom.__version__\n",
        data__b="from timeloom import DiffMTS\n",
    )
    assert climbs(house) == [
        "data.a (floor 1) imports evaluation",
        "data.b (floor 1) imports methods.diffmts",
    ]


def test_an_import_for_type_checkers_alone_is_allowed(tmp_path):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import timeloom.cli.fit\n"
    assert climbs(plant(tmp_path, data__windows=text)) == []


def test_a_ring_of_imports_is_found(tmp_path):
    house = plant(
        tmp_path,
        data__a="from timeloom.data.b import x\n",
        data__b="def f():\n    from timeloom.data import c\n",
        data__c="from . import a\n",
    )
    assert rings(house) == ["data.a -> data.b -> data.c -> data.a"]


def test_a_long_file_is_found(tmp_path):
    assert too_long(plant(tmp_path, data__a="x = 1\n" * 401)) == {"data.a": 401}
